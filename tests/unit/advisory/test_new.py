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


def osv(*affected, **more):
    """A record; each of `affected` is an ecosystem and its events."""
    listed = [
        {"package": {"ecosystem": ecosystem, "name": "acme"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        for ecosystem, *events in affected
    ]
    return {"id": "ACME-SA-9", "aliases": ["CVE-2000-0009"], "affected": listed, **more}


@pytest.fixture
def acme(tmp_path):
    """(the skeleton's text, what it says of the package acme) of an advisory."""

    def read_acme(told, remedy="CVE-2000-0009"):
        file = tmp_path / "advisory.json"
        file.write_text(json.dumps(told))
        text = written(remedy, file)
        return text, next((one for one in read(text)["affected"]["packages"] if one["name"] == "acme"), {})

    return read_acme


BORN_WITH_IT, SINCE_1_5 = {"introduced": "0"}, {"introduced": "1.5-1"}
FIXED_1_2, FIXED_2_0 = {"fixed": "1.2-1"}, {"fixed": "2.0-1"}


@pytest.mark.parametrize(
    ("affected", "introduced"),
    [
        ([("Debian:12", SINCE_1_5, FIXED_2_0)], "1.5-1"),
        ([("Debian:12", SINCE_1_5, FIXED_2_0), ("Debian:11", BORN_WITH_IT)], "1.5-1"),
        ([("Debian:12", SINCE_1_5, FIXED_2_0), ("Debian:11", BORN_WITH_IT, FIXED_1_2)], None),
        ([("Debian:12", BORN_WITH_IT, FIXED_1_2, SINCE_1_5, FIXED_2_0)], None),
        ([("Debian:12", BORN_WITH_IT, FIXED_2_0)], None),
    ],
)
def test_what_is_older_than_the_bug_in_one_release_is_not_so_in_all(affected, introduced, acme):
    text, told = acme(osv(*affected))
    assert told.get("introduced") == introduced
    assert ("TODO: introduced: debian-1" in text) == (introduced is None and SINCE_1_5 in affected[0])


FIXED = {"fixed": ["on:fixed"]}


def csaf(vulnerability, cpe="cpe:/o:redhat:enterprise_linux:8", identity="ACME-2000:7"):
    """A document of the products acme in `1.2-1.el8`, and of two streams of it without a version."""
    parts = {"fixed": "acme@1.2-1.el8?arch=x86_64", "stream-1": "acme?rpmmod=acme:1", "stream-2": "acme?rpmmod=acme:2"}
    products = [
        {"product_id": key, "name": key, "product_identification_helper": {"purl": f"pkg:rpm/redhat/{purl}"}}
        for key, purl in parts.items()
    ]
    platform = {"product_id": "platform", "name": "a platform", "product_identification_helper": {"cpe": cpe}}
    return {
        "document": {"csaf_version": "2.0", "title": "acme", "tracking": {"id": identity}},
        "product_tree": {
            "full_product_names": [*products, platform],
            "relationships": [
                {
                    "full_product_name": {"product_id": f"on:{key}", "name": "x"},
                    "product_reference": key,
                    "relates_to_product_reference": "platform",
                }
                for key in parts
            ],
        },
        "vulnerabilities": [vulnerability],
    }


def test_a_release_of_which_one_stream_is_affected_is_never_said_to_be_free_of_it(acme):
    status = {"known_not_affected": ["on:stream-1"], "known_affected": ["on:stream-2"]}
    text, told = acme(csaf({"cve": "CVE-2000-0009", "product_status": status}))
    assert told == {}
    assert "# TODO: acme: no fixed version yet in el-8" in text
    text, told = acme(csaf({"cve": "CVE-2000-0009", "product_status": {**status, "fixed": ["on:fixed"]}}))
    assert told["fixed_in"] == {"el-8": "1.2-1.el8"}
    assert "# TODO: acme: in part no fixed version yet in el-8" in text


@pytest.mark.parametrize(
    ("cpe", "distro"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", "el-9"),
        ("cpe:/o:redhat:rhel_aus:7.6::server", "el-7"),
        ("cpe:2.3:o:redhat:enterprise_linux:8:*:*:*:*:*:*:*", "el-8"),
        ("cpe:/a:redhat:rhel_software_collections:3::el7", "el-7"),
        ("cpe:/a:redhat:rhel_dotnet:2.1::el7", "el-7"),
    ],
)
def test_a_product_for_a_release_is_numbered_apart_from_it(cpe, distro, acme):
    _text, told = acme(csaf({"cve": "CVE-2000-0009", "product_status": FIXED}, cpe=cpe))
    assert list(told["fixed_in"]) == [distro]
    ecosystem = "Red Hat:" + cpe.partition("redhat:")[2]
    _text, told = acme(osv((ecosystem, BORN_WITH_IT, FIXED_1_2)))
    assert list(told["fixed_in"]) == [distro]


def test_a_module_is_no_package_though_one_has_its_name(acme):
    told = csaf({"cve": "CVE-2000-0009", "product_status": {"fixed": ["on:fixed", "in:module", "module:on"]}})
    tree = told["product_tree"]
    purl = "pkg:rpmmod/redhat/acme@18:8080020231013150018:63b34585"
    tree["full_product_names"].append({"product_id": "m", "name": "m", "product_identification_helper": {"purl": purl}})
    for called, part, whole in (("module:on", "m", "platform"), ("in:module", "fixed", "module:on")):
        named = {"full_product_name": {"product_id": called, "name": called}}
        tree["relationships"].append({**named, "product_reference": part, "relates_to_product_reference": whole})
    assert acme(told)[1]["fixed_in"] == {"el-8": "1.2-1.el8"}


def test_an_advisory_that_was_withdrawn_says_nothing_any_more(acme):
    with pytest.raises(AdvisoryError, match="ACME-SA-9 was withdrawn on 2001-02-03"):
        acme(osv(("Debian:12", BORN_WITH_IT, FIXED_1_2), withdrawn="2001-02-03T04:05:06Z"))


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        (csaf({"ids": [{"system_name": "acme", "text": "ACME:7"}], "product_status": FIXED}), "ACME-7"),
        (csaf({"product_status": FIXED}), "ACME-2000-7"),
        (osv(("Debian:12", BORN_WITH_IT, FIXED_1_2)), "ACME-SA-9"),
    ],
)
def test_a_vendors_own_id_is_looked_for_like_a_cve(told, remedy, acme):
    assert acme(told, remedy)[1]["fixed_in"]
    with pytest.raises(AdvisoryError, match="does not name ACME-8"):
        acme(told, "ACME-8")


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
    told["summary"] = 'x"\nmitigations: [evil]\x1b[31m\u2028\uffff\ufffe#'
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


def test_a_file_that_was_saved_on_windows_is_read(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(VEX.read_text().replace("\n", "\r\n"), encoding="utf-8-sig")
    assert written("CVE-2000-0003", file) == written("CVE-2000-0003", VEX)


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


def test_what_an_advisory_says_drives_no_terminal(run, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(MITIGATION_ONLY.read_text().replace("acme-loader", "acme\\u001b[31m"))
    result = run("CVE-2000-0002", "--from", file)
    assert "not taken as a fix: acme [31m of ubuntu-22.04" in result.stderr


def test_a_name_that_could_leave_the_folder_is_refused(run):
    assert run("../x").exit_code != 0
