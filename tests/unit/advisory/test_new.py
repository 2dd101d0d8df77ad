"""`stopgap remedy new`: from a vendor's advisory to the skeleton of a remedy."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import stopgap.cli.main as cli
from stopgap.advisory import AdvisoryError, read_advisory, skeleton
from stopgap.advisory.csaf import read_purl
from stopgap.remedy import InvalidRemedy, load
from stopgap.remedy.lint import lint

CASES = Path(__file__).parents[2] / "cases/advisories"
OSV, MITIGATION_ONLY, VEX = (
    CASES / f"{name}.json" for name in ("osv_fixed_and_unfixed", "osv_ships_only_a_mitigation", "csaf_vex")
)


def written(remedy, source):
    return skeleton(remedy, read_advisory(source, remedy))


def read(text):
    return yaml.safe_load(text)


@pytest.fixture
def done(tmp_path):
    """A skeleton as it is once its TODOs are done: here, by taking them out."""

    def finish(remedy, text):
        file = tmp_path / f"{remedy}.yml"
        file.write_text(re.sub(r"\s*# TODO.*", "", text).replace("title:\n", "title: Told\n"))
        return file

    return finish


def test_an_osv_record_gives_the_fixed_version_of_each_release():
    packages = {one["name"]: one for one in read(written("CVE-2000-0001", OSV))["affected"]["packages"]}
    assert packages["acme"]["fixed_in"] == {"debian-12": "2.0-1+deb12u1"}
    assert packages["acme"]["introduced"] == "1.5-1"
    assert packages["acme-server"]["fixed_in"] == {
        "ubuntu-22.04": "2.0-1ubuntu1",
        "el-9": ["1:2.0-1.el9_2", "1:2.1-1.el9"],
    }
    assert "libacme-dev" not in packages


def test_a_release_without_a_fix_is_a_todo_and_never_a_version():
    text = written("CVE-2000-0001", OSV)
    assert "# TODO: acme: no fixed version yet in debian-11" in text
    assert "Ubuntu:Pro:18.04:LTS: only with a subscription" in text
    assert "source package; write the binary packages" in text


def test_an_advisory_that_only_ships_a_mitigation_closes_nothing():
    text = written("CVE-2000-0002", MITIGATION_ONLY)
    told = read(text)
    assert told["affected"]["packages"] == []
    assert told["fix"]["packages"] == []
    assert "aliases" not in told
    assert "not taken as a fix: acme-loader of ubuntu-22.04 in ACME-SA-2 closes no CVE" in text


def test_a_vex_document_gives_epochs_and_what_is_not_affected():
    text = written("CVE-2000-0003", VEX)
    packages = {one["name"]: one["fixed_in"] for one in read(text)["affected"]["packages"]}
    assert packages == {"acme": {"el-8": "not_affected", "el-9": "1:2.0-1.el9"}, "acme-tools": {"el-9": "2.0-1.el9"}}
    assert read(text)["risk"]["cvss"] == "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H"
    assert str(read(text)["published"]) == "2000-02-03"


def test_a_workaround_that_says_there_is_none_is_no_mitigation():
    text = written("CVE-2000-0003", VEX)
    assert read(text)["mitigations"] == []
    assert "# the vendor says there is none: Mitigation for this issue is either not available" in text
    assert "# the vendor's mitigation: Set `open = no` in /etc/acme.conf." in text
    assert "# vendor fix: Restart acme." in text


@pytest.mark.parametrize(("remedy", "source"), [("CVE-2000-0001", OSV), ("CVE-2000-0003", VEX)])
def test_a_skeleton_loads_once_its_todos_are_done_and_lint_names_them_until_then(remedy, source, done, tmp_path):
    text = written(remedy, source)
    todo = tmp_path / "todo" / f"{remedy}.yml"
    todo.parent.mkdir()
    todo.write_text(text)
    found = [(problem.line, problem.message) for problem in lint([todo])]
    lines = [n for n, line in enumerate(text.splitlines(), 1) if "# TODO" in line]
    assert [line for line, message in found if message.startswith("still to do: ")] == lines
    assert lint([done(remedy, text)]) == []


def test_an_empty_skeleton_is_no_remedy_yet(done):
    with pytest.raises(InvalidRemedy):
        load(done("CVE-2000-0009", skeleton("CVE-2000-0009")))


def test_what_an_advisory_says_stays_text(tmp_path):
    told = json.loads(OSV.read_text())
    told["summary"] = 'x"\nmitigations: [evil]\x1b[31m\u2028#'
    told["references"] = [{"url": 'https://x/"\nid: evil'}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(told))
    text = written("CVE-2000-0001", file)
    assert read(text)["title"] == 'x" mitigations: [evil] [31m #'
    assert read(text)["id"] == "CVE-2000-0001"
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[]", "neither CSAF .* nor OSV"),
        ('{"id": "X-1", "affected": []}', "names no CVE at all, so it closes none"),
        ('{"id": "X-1", "aliases": ["CVE-2000-7777"], "affected": []}', "does not name .*; it names CVE-2000-7777"),
        ('{"id": "X-1", "aliases": ["CVE-2000-0001"], "affected": [3]}', "not as its format has it"),
        ("[" * 100000, "not JSON|neither"),
    ],
)  # fmt: skip
def test_a_file_that_is_of_no_use_says_why(tmp_path, text, why):
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(AdvisoryError, match=why):
        read_advisory(file, "CVE-2000-0001")


def test_package_urls():
    assert read_purl("pkg:deb/debian/lib%2Bx@1:2.0-1%2Bdeb12u1?arch=amd64&distro=bookworm") == (
        "lib+x",
        "1:2.0-1+deb12u1",
        {"arch": "amd64", "distro": "bookworm"},
    )
    with pytest.raises(AdvisoryError):
        read_purl("acme-1.0")


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.app, ["remedy", "new", *map(str, arguments)])


def test_new_writes_where_remedies_are_looked_for_and_never_over_a_file(run, tmp_path):
    assert run("CVE-2000-0001", "--from", OSV).exit_code == 0
    file = tmp_path / "remedies/CVE-2000-0001.yml"
    kept = file.read_text()
    again = run("CVE-2000-0001")
    assert again.exit_code == 1
    assert "is there already" in str(again.output) + str(again.exception)
    assert file.read_text() == kept
    assert run("CVE-2000-0001", "--force").exit_code == 0
    assert file.read_text() == skeleton("CVE-2000-0001")


def test_new_without_a_source_prints_an_empty_skeleton(run, tmp_path):
    result = run("CVE-2000-0005", "-o", "-")
    assert result.stdout == skeleton("CVE-2000-0005")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_could_leave_the_folder_is_refused(run):
    assert run("../x").exit_code != 0
