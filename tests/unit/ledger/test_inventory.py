"""Hosts grouped by the state of their cases, as ansible-inventory sees them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.ledger.makers import event, moment

from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, writing

TOP = Path(__file__).parents[3]


@pytest.fixture
def listed(state, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONFIG", str(TOP / "ansible.cfg"))

    def run(config="plugin: ledger\n", name="fleet.stopgap.yml", folder=TOP):
        (tmp_path / name).write_text(config)
        command = [Path(sys.executable).parent / "ansible-inventory", "-i", tmp_path / name, "--list"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        groups = json.loads(done.stdout)
        return {name: group["hosts"] for name, group in groups.items() if group.get("hosts")}

    return run


def test_p09_nothing_of_the_current_folder_is_run(listed, tmp_path):
    (tmp_path / "uuid.py").write_text("open('ran', 'w').close()\n")
    with writing(open_ledger()) as connection:
        book.record(connection, [event(host="web1", remedy="CVE-2")])
    assert listed(folder=tmp_path)["stopgap_exposed"] == ["web1"]
    assert not (tmp_path / "ran").exists()


def test_groups(listed):
    applied = {"entry": "E1", "mitigation": "m"}
    ran_out = {"entry": "E3", "mitigation": "m", "expires_at": moment(2)}
    accepted = {"until": "2999-12-31T00:00:00.000000Z"}
    told = [
        event(host="web1", remedy="CVE-2023-44487"),
        event(
            host="web1", remedy="CVE-2023-44487", kind="mitigation", verdict="applied", evidence=applied, at=moment(1)
        ),
        event(host="web2", remedy="CVE-2023-44487", verdict="not_affected", estate="lab"),
        event(host="web3", remedy="CVE-2"),
        event(host="web3", remedy="CVE-2", kind="mitigation", verdict="applied", evidence=ran_out, at=moment(1)),
        event(
            host="web3", remedy="CVE-2", kind="verified", verdict="pass", evidence={"phase": "mitigation"}, at=moment(1)
        ),
        event(host="web3", remedy="CVE-2", kind="accepted", verdict="accepted", evidence=accepted, at=moment(3)),
    ]
    with writing(open_ledger()) as connection:
        book.record(connection, told)
    assert listed() == {
        "stopgap_exposed": ["web1", "web3"],
        **{f"stopgap_{mark}": ["web3"] for mark in ("expired", "accepted")},
        **{f"stopgap_cve_2_{mark}": ["web3"] for mark in ("exposed", "debt", "expired", "accepted")},
        "stopgap_cve_2023_44487_exposed": ["web1"],
        "stopgap_debt": ["web1", "web3"],
        "stopgap_cve_2023_44487_debt": ["web1"],
        "stopgap_not_affected": ["web2"],
        "stopgap_cve_2023_44487_not_affected": ["web2"],
    }
    assert set(listed("plugin: ledger\nestate: lab\n", name="ledger.yml")) == {
        "stopgap_not_affected",
        "stopgap_cve_2023_44487_not_affected",
    }


def test_an_empty_ledger_has_its_groups_and_no_hosts(listed):
    assert listed() == {}
