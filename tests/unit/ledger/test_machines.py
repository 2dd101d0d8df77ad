"""Which machine answered to which name, and what is told of it."""

import json
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from tests.unit.ledger.makers import START, event, moment

from stopgap.cli.main import main
from stopgap.ledger import book, machines
from stopgap.ledger.asking import asking
from stopgap.ledger.notices import Name, Owing, Seen, notices, read_notices
from stopgap.ledger.store import open_ledger, reading, writing
from stopgap.ledger.tables import machines as table

CASES = Path(__file__).parents[2] / "cases" / "machines"


def name(text):
    estate, _, host = text.rpartition("/")
    return Name(estate or "default", host)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_notices(path):
    told = yaml.safe_load(path.read_text())
    seen = [Seen(name(who), machine, moment(first), moment(last)) for who, machine, first, last in told["seen"]]
    owing = {
        name(who): Owing(
            open=held.get("open", 0),
            held=held.get("held", 0),
            retired=held.get("retired", False),
            answered=tuple(map(moment, held.get("answered", []))),
        )
        for who, held in told.get("owing", {}).items()
    }
    random.Random(path.stem).shuffle(seen)  # noqa: S311
    found = notices(seen, owing, START + timedelta(minutes=told.get("now", 10)))
    wanted = [
        (one["kind"], name(one["name"]), tuple(map(name, one["others"])), moment(one["since"]))
        for one in told["notices"]
    ]
    assert [(one.kind, one.name, one.others, one.since) for one in found] == wanted
    assert "sentences" not in told or [one.sentence for one in found] == told["sentences"]


def journal(host, minute, machine, **more):
    evidence = {"in_force": [], "host_id": machine}
    return event(host=host, at=moment(minute), kind="journal", verdict="seen", remedy="", evidence=evidence, **more)


def assessed(host, minute, machine, **more):
    return event(host=host, at=moment(minute), evidence={"code": "below_fixed", "host_id": machine}, **more)


def record(*told):
    with writing(open_ledger()) as connection:
        book.record(connection, told)


def kept():
    with reading(open_ledger()) as connection:
        assert book.differences(connection) == []
        rows = sorted(tuple(row) for row in connection.execute(sa.select(table)))
    return [(host, machine, first, last) for _estate, host, machine, first, last in rows]


def told_notices(**only):
    with asking() as ledger:
        return read_notices(ledger, START, **only)


def test_first_and_last_whatever_comes_first(state):
    told = [assessed("web1", 3, "aaa"), journal("web1", 1, "aaa"), journal("web1", 9, "bbb"), journal("web2", 5, "aaa")]
    for one in reversed(told):
        record(one)
    spans = [
        ("web1", "aaa", moment(1), moment(3)),
        ("web1", "bbb", moment(9), moment(9)),
        ("web2", "aaa", moment(5), moment(5)),
    ]
    assert kept() == spans
    with writing(open_ledger()) as connection:
        machines.rebuild(connection)
    assert kept() == spans


@pytest.mark.parametrize("machine", ["", None, 7, "x" * 65, "a b", "\x1b[31m", ["aaa"]])
def test_what_is_no_machine_is_not_kept(state, machine):
    record(journal("web1", 1, machine))
    assert kept() == []


def test_a_host_cannot_tell_a_machine_where_none_is_asked(state):
    record(event(kind="verified", verdict="pass", evidence={"phase": "fix", "host_id": "aaa"}))
    assert kept() == []


def test_a_clock_ahead_does_not_reach_into_the_future(state):
    record(journal("web1", 60 * 24 * 3650, "aaa"))
    (span,) = kept()
    assert span[3] < moment(60 * 24 * 3000)


def test_a_row_that_was_changed_is_found(state):
    record(journal("web1", 1, "aaa"))
    with writing(open_ledger()) as connection:
        connection.execute(sa.update(table).values(last_seen=moment(50)))
        assert book.differences(connection) == [("default", "web1", "")]
        book.rebuild(connection)
    assert kept() == [("web1", "aaa", moment(1), moment(1))]


def test_a_host_that_only_its_journal_made_known_is_rebuilt_until_it_is_assessed(state):
    found = {"mitigation": "limits", "entry": "E1", "found": True, "step": 1}
    record(
        event(host="web1", at=moment(1), kind="mitigation", verdict="applied", evidence=found),
        journal("web1", 1, "aaa"),
        journal("web1", 5, "bbb"),
    )
    (told,) = told_notices()
    assert (told.kind, told.name.host) == ("rebuilt", "web1")
    assert "1 case waits: assess it again" in told.sentence
    record(assessed("web1", 9, "bbb"))
    assert told_notices() == []


def test_what_the_ledger_owes_is_in_the_notice(state):
    applied = {"mitigation": "limits", "entry": "E1"}
    record(
        assessed("web1", 1, "aaa"),
        event(host="web1", at=moment(2), kind="mitigation", verdict="applied", evidence=applied),
        event(host="web1", at=moment(2), remedy="CVE-2", verdict="not_affected", evidence={"code": "not_installed"}),
        journal("web2", 8, "aaa"),
        assessed("db1", 1, "ccc"),
    )
    (told,) = told_notices()
    assert told_notices(host="db1") == []
    assert told_notices(host="web1") == [told]
    assert told_notices(estate="elsewhere") == []
    assert told.kind == "renamed"
    assert "The 1 mitigation and the 1 open case the ledger holds for web1 stay listed under web1" in told.sentence


def test_rebuilt_until_all_its_cases_are_assessed_again(state):
    record(assessed("web1", 1, "aaa"), assessed("web1", 1, "aaa", remedy="CVE-2"), journal("web1", 5, "bbb"))
    assert [(one.kind, one.name.host) for one in told_notices()] == [("rebuilt", "web1")]
    record(assessed("web1", 6, "bbb"), assessed("web1", 6, "bbb", remedy="CVE-2"))
    assert told_notices() == []


@pytest.fixture
def status(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["stopgap", "status", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        return capsys.readouterr()

    return run


def test_status_tells_a_few_and_counts_the_rest(state, status):
    for number in range(7):
        record(assessed(f"web{number}", 1, f"a{number}"), journal(f"web{number}", 5, f"b{number}"))
    told = [line for line in status().err.splitlines() if "rebuilt" in line or "notices" in line]
    assert len(told) == 6
    assert told[0].startswith("stopgap: rebuilt: web0 answers as another machine since 2026-11-21 12:05")
    assert told[-1] == "stopgap: and 2 more such notices: `stopgap status --json`"
    (only,) = [line for line in status("--host", "web3").err.splitlines() if "rebuilt:" in line]
    assert "web3 answers" in only


def test_status_as_json_has_them_all(state, status):
    record(assessed("web1", 1, "aaa"), assessed("web2", 5, "aaa"), journal("web1", 6, "aaa"))
    (told,) = json.loads(status("--json").out)["notices"]
    assert told.pop("sentence").startswith("web1 and web2 answer with the same machine-id")
    assert told == {
        "kind": "cloned",
        "estate": "default",
        "host": "web1",
        "others": [{"estate": "default", "host": "web2"}],
        "since": moment(5),
    }


def test_a_ledger_that_is_not_there_tells_nothing(state, status):
    assert status().err == ""


def states():
    with reading(open_ledger()) as connection:
        assert book.differences(connection) == []
        return {one.remedy: one.state for one in book.read_cases(connection)}


def test_assessed_for_one_remedy_another_machine_puts_all_cases_in_doubt(state):
    for remedy in ("CVE-1", "CVE-2"):
        on_disk = {"code": "awaiting_proof", "host_id": "aaa"}
        record(
            event(host="web1", at=moment(1), remedy=remedy, verdict="patched", evidence=on_disk),
            event(host="web1", at=moment(2), remedy=remedy, kind="verified", verdict="pass", evidence={"phase": "fix"}),
        )
    assert states() == {"CVE-1": "fixed", "CVE-2": "fixed"}
    record(assessed("web1", 5, "bbb"))
    assert states() == {"CVE-1": "exposed", "CVE-2": "unknown"}
    record(assessed("web1", 6, "bbb", remedy="CVE-2"))
    assert states() == {"CVE-1": "exposed", "CVE-2": "exposed"}
    record(assessed("web1", 7, "bbb", remedy="CVE-3"))
    assert states()["CVE-3"] == "exposed", "a case that is new is not in doubt"


def test_the_machine_from_before_back_again_puts_all_cases_in_doubt_once_more(state):
    """Two behind one name: what was proven of the second is not true of the first."""
    proof = {"kind": "verified", "verdict": "pass", "evidence": {"phase": "fix"}, "host": "web1"}
    record(assessed("web1", 1, "aaa"), assessed("web1", 2, "bbb", remedy="CVE-2"), assessed("web1", 3, "bbb"))
    record(event(host="web1", at=moment(4), kind="patch", verdict="installed", evidence={}))
    record(event(at=moment(5), **proof))
    record(assessed("web1", 6, "aaa", remedy="CVE-2"))
    with reading(open_ledger()) as connection:
        assert [one.state for one in book.read_cases(connection, remedy="CVE-1")] == ["unknown"]
        assert book.differences(connection) == []
