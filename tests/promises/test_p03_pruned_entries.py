"""P3 the other way round: what a journal has forgotten is in force in no ledger, whatever that ledger had heard of it.

A journal keeps the newest entries that are over and forgets the others; a ledger may hear of a host only after that.
"""

import json

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import journal
from ansible_collections.stopgap.remediation.plugins.modules.journal_info import entry_info
from ansible_collections.stopgap.remediation.plugins.plugin_utils.events import PREFIX
from ansible_collections.stopgap.remediation.plugins.plugin_utils.witness import Witness
from stopgap.ledger import service

REMEDY = {"id": "CVE-1", "revision": 1}
MITIGATION = {"id": "m", "ttl_seconds": 86400, "actions": []}
RUN = "01a1ff3a-cf6e-7395-9742-248dd26742d3"


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "KEPT", 5)  # as a hundred, and quicker
    found = journal.Journal(str(tmp_path / "host"), str(tmp_path / "fact"))
    with found.locked():
        return found


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """Of a laptop whose ledger is empty."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    folder = tmp_path / "state" / "spool"
    folder.mkdir(parents=True)
    return folder


def mitigate(host):
    entry = journal.new_entry(REMEDY, MITIGATION, "ann", "")
    for state in ("intended", "applied"):
        host.record(entry, state)
    return entry


def lift(host, entry):
    for state in ("lifting", "lifted"):
        host.record(entry, state)
    host.tidy()


def forget(host):
    """As many newer entries as push all older ones that are over out of the journal."""
    for _ in range(journal.KEPT):
        lift(host, mitigate(host))


def sync(host, spool):
    told = {"entries": [entry_info(entry) for entry in host.entries()], "host_id": "a"}
    heard = Witness(RUN, "ann", "laptop").hear(PREFIX + "journal_info", "web1", lambda _: "default", told)
    (spool / f"{RUN}.jsonl").write_text("".join(json.dumps(event) + "\n" for event in heard))
    assert [one.bad for one in service.ingest(spool)] == [()]
    assert service.check() == []


def owed():
    return {one.entry for case in service.all_cases() for one in case.mitigations}


def test_p03_an_entry_forgotten_before_its_lifting_was_heard_of_is_not_in_force_for_ever(host, spool):
    entry = mitigate(host)
    sync(host, spool)
    assert owed() == {entry["entry"]}
    lift(host, entry)
    forget(host)
    assert entry["entry"] not in {one["entry"] for one in host.entries()}
    sync(host, spool)
    assert owed() == set()
    (case,) = service.all_cases()
    assert (case.state, case.flags) == ("exposed", ("mitigation_lost",)), "who lifted it is not known here: it is told"


def test_p03_an_entry_never_heard_of_leaves_no_trace(host, spool):
    lift(host, mitigate(host))
    forget(host)
    kept = mitigate(host)
    sync(host, spool)
    assert owed() == {kept["entry"]}


def test_p03_one_in_force_is_never_forgotten_however_many_came_after_it(host, spool):
    entry = mitigate(host)
    forget(host)
    sync(host, spool)
    assert owed() == {entry["entry"]}


def test_p03_two_ledgers_one_of_which_missed_it_all_hold_the_same(host, spool, monkeypatch):
    """The one heard each step, the other came when the journal had forgotten; then a new one is put in force."""
    first = mitigate(host)
    sync(host, spool)
    lift(host, first)
    sync(host, spool)
    forget(host)
    last = mitigate(host)
    sync(host, spool)
    assert owed() == {last["entry"]}

    other = spool.parent.with_name("other") / "spool"
    other.mkdir(parents=True)
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(other.parent))
    sync(host, other)
    assert owed() == {last["entry"]}
