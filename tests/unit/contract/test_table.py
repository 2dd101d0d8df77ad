"""The catalogue's table is of every remedy, made of results of runs, and of no older revision."""

import json

import pytest
from tests.books import TOP
from typer.testing import CliRunner

import stopgap.cli.main as cli
from stopgap.collection import collection_root
from stopgap.contract.outcome import Report, Step, from_dict
from stopgap.contract.table import as_text, result_of, save, write_table
from stopgap.remedy import catalogue, load

KEPT = TOP / "docs/reference/catalogue"
CATALOGUE = list(catalogue([collection_root() / "remedies"]))
AGAIN = "run `STOPGAP_CONTRACT_REPORT=docs/reference/catalogue pytest -m contract tests/e2e/test_contract.py`"


@pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: file.stem)
def test_every_remedy_was_run_as_it_now_stands(file):
    found = result_of(KEPT, file.stem)
    assert found, f"{file.stem} was never run: {AGAIN}"
    assert found["revision"] == load(file).revision, f"{file.stem} was raised since its run: {AGAIN}"


def test_the_table_is_what_the_results_make_of_it():
    assert KEPT.with_suffix(".md").read_text() == as_text(KEPT, CATALOGUE), AGAIN


def test_no_result_is_of_a_remedy_that_is_gone():
    assert {file.stem for file in KEPT.glob("*.json")} <= {file.stem for file in CATALOGUE}


def test_nothing_counts_as_passed_that_was_not_run(tmp_path):
    file = next(file for file in CATALOGUE if file.stem == "CVE-2023-44487")
    folder = tmp_path / "kept"
    assert "never run" in as_text(folder, [file])
    steps = [Step("a", "passed"), Step("b", "not run", "not run here: a | reason")]
    save(folder, [Report(file.stem, 1, "t", "bookworm", "real packages of bookworm", [], steps)])
    write_table(folder, [file])
    text = folder.with_suffix(".md").read_text()
    assert "1 passed, 1 not run of 2 steps; not run here: a \\| reason" in text
    save(folder, [Report(file.stem, 7, "t", "bookworm", "real packages of bookworm", [], steps)])
    assert "not run since its last revision" in as_text(folder, [file])


def test_a_report_survives_being_kept(tmp_path):
    report = Report("CVE-1", 1, "t", steps=[Step("a", "failed", "why", "m", 1.0)])
    assert from_dict(report.to_dict()) == report


@pytest.mark.parametrize(
    ("folder", "remedy", "why"),
    [("kept", "id: [", "CVE-2000-0001.yml:2: broken YAML"), ("a-file/kept", "", "Not a directory")],
)
def test_what_was_found_is_told_although_it_cannot_be_kept(folder, remedy, why, tmp_path, monkeypatch):
    """MS17-010 is for Windows: its contract is told without a host."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    if remedy:
        (tmp_path / "remedies").mkdir()
        (tmp_path / "remedies/CVE-2000-0001.yml").write_text(remedy)
    done = CliRunner().invoke(cli.app, ["remedy", "test", "MS17-010", "--json", "--report", folder])
    assert [one["remedy"] for one in json.loads(done.stdout)] == ["MS17-010"]
    assert done.exit_code == 1
    assert f"not all of {folder} and its table was written: " in done.output + str(done.exception)
    assert why in done.output + str(done.exception)


def test_a_remedy_that_is_a_link_goes_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drafts").mkdir()
    shipped = (collection_root() / "remedies/CVE-2026-75806.yml").read_text()
    (tmp_path / "drafts/openssl.yml").write_text(shipped)
    (tmp_path / "CVE-2026-75806.yml").symlink_to("drafts/openssl.yml")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/CVE-2026-75806.yml").write_text("why: {all: not today}\n")
    done = CliRunner().invoke(cli.app, ["remedy", "test", "./CVE-2026-75806.yml", "--json"])
    assert {step["reason"] for step in json.loads(done.stdout)[0]["steps"]} == {"not run here: not today"}
