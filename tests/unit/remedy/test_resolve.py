"""The resolved shape: every default filled in, every typed item the same way round."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stopgap.remedy import InvalidRemedy, load, resolve

MITIGATIONS = """
aliases: [acme-bug]
published: 2024-07-01
mitigations:
  - id: all-sorts
    title: One of each
    side_effect: none to speak of
    disruption: low
    actions:
      - sysctl: {name: net.ipv4.tcp_sack, value: 0}
      - file: {path: /etc/acme.conf, content: "x\\n", validate: acme -t}
      - command: {check: {run: acme --is "o f f", stdout_has: up}, apply: {run: [acme, "off"]}, revert: {run: acme on}}
      - tasks: {check: tasks/is-on.yml, apply: tasks/on.yml, revert: tasks/off.yml}
    then: [{reload: acme}, {run: acme --sync}]
    checks:
      - socket: {listening: false, address: "tcp://80"}
"""


@pytest.fixture
def shape(write_remedy):
    file = write_remedy(more=MITIGATIONS)
    (shape,) = resolve(["CVE-2000-0001"], [file.parent])
    return shape


def test_every_key_is_there(shape):
    assert shape["risk"] == {"cvss": None, "automatable": None, "technical_impact": None}
    assert shape["fix"] == {"packages": ["acme"], "then": [], "reboot": "if_required", "obligations": []}
    assert shape["affected"]["packages"][0]["introduced"] is None
    assert shape["published"] == "2024-07-01"
    assert shape["indicators"] == []
    assert "apiVersion" not in shape


def test_source_names_the_file(shape, tmp_path):
    assert shape["source"] == str(tmp_path / "site" / "CVE-2000-0001.yml")


def test_a_single_version_becomes_a_list_and_a_word_stays_one(write_remedy):
    file = write_remedy()
    file.write_text(file.read_text().replace('"1.2-3"', '"1.2-3", debian-11: not_affected, el-9: ["1-1", "2-1"]'))
    (shape,) = resolve(["CVE-2000-0001"], [file.parent])
    fixed_in = shape["affected"]["packages"][0]["fixed_in"]
    assert fixed_in == {"debian-12": ["1.2-3"], "debian-11": "not_affected", "el-9": ["1-1", "2-1"]}


def test_a_mitigation_without_a_ttl_expires_after_14_days(shape):
    assert shape["mitigations"][0]["ttl_seconds"] == 14 * 86400


@pytest.mark.parametrize(("ttl", "seconds"), [("12h", 43200), ("14d", 1209600), ("4w", 2419200)])
def test_ttl_becomes_seconds(write_remedy, ttl, seconds):
    file = write_remedy(more=MITIGATIONS.replace("disruption: low", f"disruption: low\n    ttl: {ttl}"))
    assert load(file).mitigations[0].ttl == seconds


def test_typed_items_travel_as_type_and_params(shape):
    mitigation = shape["mitigations"][0]
    sysctl, drop_in, command, tasks = mitigation["actions"]
    assert sysctl == {"type": "sysctl", "params": {"name": "net.ipv4.tcp_sack", "value": "0", "file": None}}
    assert drop_in["params"]["validate"] == ["acme", "-t"]
    assert command["params"]["check"]["run"] == ["acme", "--is", "o f f"]
    assert command["params"]["apply"]["rc"] == [0]
    assert mitigation["then"] == [{"type": "reload", "params": "acme"}, {"type": "run", "params": ["acme", "--sync"]}]
    assert tasks["type"] == "tasks"


def test_task_files_are_found_beside_the_remedy(shape, tmp_path):
    tasks = shape["mitigations"][0]["actions"][3]["params"]
    assert tasks["apply"] == str(tmp_path / "site" / "tasks" / "on.yml")
    assert tasks["check"] == str(tmp_path / "site" / "tasks" / "is-on.yml")


def test_a_remedy_asked_for_twice_comes_once(write_remedy):
    folder = write_remedy(more="aliases: [acme-bug]").parent
    assert len(resolve(["CVE-2000-0001", "acme-bug", "cve-2000-0001"], [folder])) == 1


def test_all_is_the_whole_catalogue(write_remedy):
    write_remedy("CVE-2000-0002")
    folder = write_remedy("CVE-2000-0001").parent
    assert [remedy["id"] for remedy in resolve(["all"], [folder])] == ["CVE-2000-0001", "CVE-2000-0002"]


def test_no_remedy_is_resolved_while_one_of_them_is_broken(write_remedy):
    folder = write_remedy().parent
    write_remedy("CVE-2000-0002", more="nonsense: true")
    with pytest.raises(InvalidRemedy):
        resolve(["all"], [folder])


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stopgap.remedy", "resolve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_module_prints_json(write_remedy):
    folder = write_remedy().parent
    answer = run_module("--path", str(folder), "--", "CVE-2000-0001")
    assert answer.returncode == 0, answer.stderr
    assert [remedy["id"] for remedy in json.loads(answer.stdout)["remedies"]] == ["CVE-2000-0001"]


def test_module_says_in_one_sentence_what_is_wrong(tmp_path):
    answer = run_module("--path", str(tmp_path), "CVE-1999-9999")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("no remedy 'CVE-1999-9999'; looked in ")
    assert len(answer.stderr.splitlines()) == 1


def test_module_starts_light():
    """It runs once a play: what the rest of the package needs must not load with it."""
    program = "import sys, stopgap.remedy.__main__; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"ansible", "ansible_runner", "jinja2", "pytest", "rich", "sqlalchemy", "testinfra", "typer"}
    assert not heavy & set(loaded.stdout.split())


def test_relative_folder_gives_an_absolute_source(write_remedy, monkeypatch):
    from stopgap.remedy import search_path

    monkeypatch.chdir(write_remedy().parent)
    (shape,) = resolve(["CVE-2000-0001"], search_path([Path()]))
    assert Path(shape["source"]).is_absolute()
