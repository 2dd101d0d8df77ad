"""`stopgap remedy`: what it prints and how it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stopgap.cli.remedy import app
from stopgap.collection import collection_root

SHIPPED = sorted(file.stem for file in (collection_root() / "remedies").glob("*.yml"))


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_list_prints_one_plain_line_a_remedy(run):
    result = run("list")
    assert result.exit_code == 0
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == SHIPPED


def test_list_as_json(run, write_remedy):
    file = write_remedy(more="aliases: [DSA-1-1]")
    result = run("list", "--path", file.parent, "--json")
    mine = next(remedy for remedy in json.loads(result.stdout) if remedy["id"] == "CVE-2000-0001")
    assert mine["source"] == str(file)
    assert mine["aliases"] == ["DSA-1-1"]


def test_json_needs_no_letters_that_a_terminal_may_lack(run, write_remedy):
    file = write_remedy(folder="fahrpläne")
    shown = run("show", "CVE-2000-0001", "--path", file.parent, "--json").stdout
    assert shown.isascii()
    assert json.loads(shown)["source"] == str(file)


def test_list_shows_the_sound_ones_and_names_the_broken_one(run, write_remedy):
    write_remedy("CVE-2000-0002", more="nonsense: 1")
    result = run("list", "--path", write_remedy().parent)
    assert result.exit_code == 1
    assert "CVE-2000-0001" in result.stdout
    assert "CVE-2000-0002.yml:5: unknown key 'nonsense'" in result.stderr


@pytest.mark.parametrize("remedy_id", SHIPPED)
def test_show_tells_all_there_is_to_know_before_it_is_used(run, remedy_id):
    shape = json.loads(run("show", remedy_id, "--json").stdout)
    shown = run("show", remedy_id).stdout
    assert shape["source"] in shown
    for mitigation in shape["mitigations"]:
        assert mitigation["side_effect"] in shown
        assert mitigation["leaves"] is None or mitigation["leaves"] in shown
    for package in shape["affected"]["packages"]:
        for distro, fixed in package["fixed_in"].items():
            assert distro in shown
            assert fixed[0] in shown
    assert "\x1b" not in shown, "not a terminal: plain lines"


def test_show_says_what_is_near(run):
    result = run("show", "CVE-2023-4448")
    assert result.exit_code == 1
    assert "near: CVE-2023-44487; looked in " in result.stderr


@pytest.mark.parametrize("words", [("list",), ("show", "CVE-2000-0001"), ("lint",)], ids=" ".join)
def test_a_remedys_own_words_drive_no_terminal_and_pass_for_no_line_of_ours(run, write_remedy, words):
    told = '"Red \\e[31m\\u009b1m\\n/etc/other.yml:1: a made-up line \\t\\u202e"'
    text = write_remedy().read_text().replace("An example", told)
    nonsense = f"{told}: 1\n" if words == ("lint",) else ""
    write_remedy().write_text(text + nonsense)
    result = run(*words, "--path", write_remedy("CVE-2000-0002").parent)
    (line,) = [line for line in result.output.splitlines() if "made-up" in line]
    assert line.isprintable() or line.replace("\t", "").isprintable()


def test_lint_names_file_and_line(run, write_remedy):
    file = write_remedy(more="nonsense: 1")
    result = run("lint", file)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{file}:5: unknown key 'nonsense'")


def test_lint_as_json(run, write_remedy):
    file = write_remedy(more="nonsense: 1")
    (problem,) = json.loads(run("lint", file, "--json").stdout)
    assert (problem["file"], problem["line"]) == (str(file), 5)


def test_lint_without_paths_reads_the_whole_catalogue(run):
    result = run("lint")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{len(SHIPPED)} files, 0 problems" in result.stderr


@pytest.mark.parametrize("verb", ["lint", "list", "show"])
def test_a_path_that_is_not_there_ends_with_1(run, verb, tmp_path):
    gone = tmp_path / "gone"
    arguments = {"lint": ["lint", gone], "list": ["list", "--path", gone], "show": ["show", "X", "--path", gone]}
    result = run(*arguments[verb])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"stopgap: {gone}")


def test_schema_prints_the_reference(run):
    reference = Path(__file__).parents[3] / "docs" / "reference" / "remedy.schema.json"
    assert run("schema").stdout == reference.read_text()
