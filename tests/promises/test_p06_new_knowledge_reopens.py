"""P6: raising a remedy's revision reopens every case closed under the old one, offline, and says which and why.

The whole way without a host: the callback's own words into a spool, the ledger, a catalogue that learned something.
"""

import json

import pytest
import yaml
from typer.testing import CliRunner

from ansible_collections.stopgap.remediation.plugins.plugin_utils import events, witness
from stopgap.cli.main import app
from stopgap.collection import collection_root
from stopgap.remedy import resolve, search_path
from stopgap.remedy.knowledge import knowledge

REMEDY = "CVE-2023-44487"
FIXED = "1.22.1-9+deb12u11"
LATER = "1.22.1-9+deb12u12"


class Fleet:
    """A state folder, a catalogue of its own, and what controllers with it say of hosts nobody will ask again."""

    def __init__(self, folder):
        self.state, self.remedies = folder / "state", folder / "remedies"
        self.remedies.mkdir(parents=True)
        self.shipped = yaml.safe_load((collection_root() / f"remedies/{REMEDY}.yml").read_text())
        self.learn(1)

    def learn(self, revision, fixed=None, **more):
        """The catalogue is raised; a laptop elsewhere may still have the one before."""
        raised = {**self.shipped, "revision": revision, **more}
        if fixed:
            raised["affected"]["packages"] = [{"name": "nginx", "fixed_in": {"debian-12": fixed}}]
        (self.remedies / f"{REMEDY}.yml").write_text(yaml.safe_dump(raised))
        self.resolved = resolve([REMEDY], search_path([self.remedies]))

    def play(self, *said):
        """A play of this catalogue: what its callback writes, delivered."""
        by = witness.Witness(events.uuid7(), "ann", "laptop")
        by.hear_remedies(self.resolved)
        told = by.hear_knowledge([knowledge(one) for one in self.resolved])
        for action, host, result in said:
            told += by.hear(events.PREFIX + action, host, lambda _host: "default", result)
        spool = self.state / "spool"
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        (spool / f"{by.run}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
        self.stopgap("ledger", "ingest")

    def stopgap(self, *words, code=0):
        environ = {"STOPGAP_STATE_DIR": str(self.state), "STOPGAP_LEDGER_URL": None}
        done = CliRunner().invoke(app, words, env=environ)
        assert done.exit_code == code, done.output
        return done.stdout

    def review(self, *words, code=0):
        return self.stopgap("ledger", "review", REMEDY, "--path", str(self.remedies), *words, code=code)

    def cases(self):
        return {one["host"]: one for one in json.loads(self.stopgap("status", "--json"))["cases"]}

    def states(self):
        return {host: one["state"] for host, one in self.cases().items()}


def assessed(host, state, code, version=FIXED, revision=1):
    package = {"name": "nginx", "arch": "amd64", "version": version, "source_version": version, "required": []}
    answer = {"remedy": REMEDY, "revision": revision, "state": state, "code": code, "reason": f"nginx is {version}"}
    system = {"distro": "debian-12", "host_id": host * 4}
    return "assess", host, {"system": system, "assessments": [{**answer, "evidence": {"packages": [package]}}]}


def verified(host, phase="fix", mitigation=None, revision=1):
    item = {"remedy": REMEDY, "revision": revision, "phase": phase, "mitigation": mitigation, "verdict": "pass"}
    return "verify", host, {"results": {host: [{**item, "reason": "", "checks": []}]}}


def fixed(host, version=FIXED, revision=1):
    yield assessed(host, "patched", "awaiting_proof", version, revision)
    yield verified(host, revision=revision)


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path)
    fleet.play(*fixed("web1"), *fixed("web2", LATER), assessed("db1", "not_affected", "not_installed"), *fixed("away1"))
    return fleet


def test_p06_a_raised_revision_reopens_offline_and_says_which_hosts_and_why(fleet):
    assert fleet.states() == {"web1": "fixed", "web2": "fixed", "db1": "not_affected", "away1": "fixed"}
    fleet.learn(2, LATER)
    would = fleet.review("--dry-run")
    assert "4 cases would be reopened; dry run" in would
    assert set(fleet.states().values()) == {"fixed", "not_affected"}
    said = fleet.review("--fail-on", "reopened", code=4)
    assert f"2 exposed: revision 2 wants nginx >= {LATER}; it was {FIXED} here" in said
    assert "  away1, web1" in said.splitlines()
    cases = fleet.cases()
    assert fleet.states() == {"web1": "exposed", "web2": "patched", "db1": "unknown", "away1": "exposed"}
    assert {one["flags"][0] for one in cases.values()} == {"reopened"}
    assert cases["web2"]["reason"] == "proven under revision 1; revision 2 asks for a new proof"
    assert cases["db1"]["reason"].startswith(f"not affected under revision 1 (nginx is {FIXED}); assess it under")
    assert "0 cases reopened" in fleet.review()
    fleet.stopgap("ledger", "check")


def test_p06_any_play_with_the_new_catalogue_reopens_the_hosts_it_does_not_touch(fleet):
    fleet.learn(2, LATER)
    fleet.play(*fixed("web2", LATER, revision=2))
    assert fleet.states() == {"web1": "exposed", "web2": "fixed", "db1": "unknown", "away1": "exposed"}


def test_p06_a_laptop_with_the_old_catalogue_closes_nothing_again(fleet):
    fleet.learn(2, LATER)
    fleet.review()
    before = fleet.states()
    fleet.learn(1)
    fleet.play(*fixed("web1"), *fixed("web2", LATER), assessed("db1", "not_affected", "not_installed"))
    assert fleet.states() == before
    reason = "proof is of revision 1; revision 2 is known: update the catalogue"
    assert all(fleet.cases()[host]["reason"].endswith(reason) for host in ("web1", "web2", "db1"))
    assert "update the catalogue" in fleet.review()
    fleet.learn(2, LATER)
    fleet.play(*fixed("web1", LATER, revision=2), assessed("db1", "not_affected", "not_installed", revision=2))
    assert fleet.states() | {"web2": "-", "away1": "-"} == {
        "web1": "fixed",
        "db1": "not_affected",
        "web2": "-",
        "away1": "-",
    }
    fleet.stopgap("ledger", "check")


def test_p06_a_mitigation_the_new_revision_withdrew_protects_nobody(tmp_path):
    fleet = Fleet(tmp_path)
    (offered,) = fleet.shipped["mitigations"]
    fleet.shipped["mitigations"].append({**offered, "id": "second"})
    fleet.learn(1)
    kept, taken = offered["id"], "second"

    def mitigated(host, mitigation):
        at = "2026-11-21T17:00:00.000000Z"
        history = [{"state": state, "at": at} for state in ("intended", "applied")]
        entry = {"remedy": REMEDY, "revision": 1, "mitigation": mitigation, "state": "applied", "entry": f"E-{host}"}
        yield assessed(host, "exposed", "below_fixed")
        yield "mitigation", host, {"results": [{**entry, "history": history}]}
        yield verified(host, "mitigation", mitigation)

    fleet.play(*mitigated("web1", kept), *mitigated("web2", taken))
    assert fleet.states() == {"web1": "mitigated", "web2": "mitigated"}
    for one in fleet.shipped["mitigations"]:
        if one["id"] == taken:
            one.update(status="withdrawn", why="the vendor found a way around it")
    fleet.learn(2)
    assert f"1 exposed: revision 2 withdrew mitigation {taken}" in fleet.review()
    assert fleet.states() == {"web1": "mitigated", "web2": "exposed"}
    assert {row["host"] for row in json.loads(fleet.stopgap("debt", "--json"))["debt"]} == {"web1", "web2"}


def test_p06_other_content_of_the_same_revision_reopens_nothing(fleet):
    fleet.learn(1, LATER)
    assert "1 new to it, 0 cases reopened" in fleet.review()
    assert fleet.states() == {"web1": "fixed", "web2": "fixed", "db1": "not_affected", "away1": "fixed"}
