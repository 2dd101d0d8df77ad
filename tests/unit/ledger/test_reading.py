"""What the database counts and sorts is what counting and sorting the cases one by one gives."""

import json
import random
from contextlib import closing
from datetime import timedelta

import pytest
from tests import typed
from tests.unit.ledger.makers import START, event, moment

from stopgap.ledger import book, debts, reading
from stopgap.ledger.asking import asking
from stopgap.ledger.case import CLOSED
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import spelled
from stopgap.ledger.owed_books import Books
from stopgap.ledger.reading import Filter
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.store import reading as opened

NOW = START + timedelta(minutes=60)
CASES = 40


def life(host, chance):
    """Some of the ways a case can go, at random."""
    told = [event(host=host, verdict=chance.choice(["exposed", "exposed", "not_affected", "unknown"]))]
    entry = f"E-{host}"
    if chance.random() < 0.7:
        applied = {"mitigation": "m", "entry": entry, "expires_at": moment(chance.choice([30, 90]))}
        told.append(event(host=host, kind="mitigation", verdict="applied", evidence=applied, at=moment(1)))
        verdict = chance.choice(["pass", "fail"])
        proof = {"phase": "mitigation", "mitigation": "m", "entry": entry}
        told.append(event(host=host, kind="verified", verdict=verdict, evidence=proof, at=moment(2)))
    if chance.random() < 0.3:
        told.append(event(host=host, kind="patch", verdict="installed", evidence={}, at=moment(3)))
        told.append(event(host=host, kind="verified", verdict="pass", evidence={"phase": "fix"}, at=moment(4)))
    if chance.random() < 0.3:
        lost = {"code": "mitigation_lost", "mitigation": {"id": "m", "entry": entry, "in_force": False}}
        told.append(event(host=host, evidence=lost, at=moment(5)))
    if chance.random() < 0.2:
        until = {"until": moment(chance.choice([50, 100]))}
        told.append(event(host=host, kind="accepted", verdict="accepted", evidence=until, at=moment(6)))
    return told


@pytest.fixture
def ledger(state):
    chance = random.Random(7)  # noqa: S311 - made-up lives
    with writing(open_ledger()) as connection:
        book.record(connection, [one for place in range(CASES) for one in life(f"h{place:02}", chance)])
    with opened(open_ledger()) as connection:
        yield connection


@pytest.fixture
def asked(ledger):
    """As readers reach it: an SQLite file without SQLAlchemy."""
    with asking() as found:
        yield found


@pytest.mark.parametrize("wanted", [Filter(), Filter(state="exposed"), Filter(host="h07"), Filter(state="mitigated")])
def test_counted_by_the_database_is_counted_one_by_one(ledger, asked, wanted):
    found = book.read_cases(ledger, host=wanted.host, state=wanted.state, now=NOW)
    tally, owed = Tally(), OwedCounts()
    for one in found:
        tally.add(one.state, one.flags)
        owed.add(one.state, [each.expires_at for each in one.mitigations], spelled(NOW))
    by_database = reading.tally(asked, NOW, wanted)
    assert debts.summary(by_database, reading.owed_counts(asked, NOW, wanted)) == debts.summary(tally, owed)
    with closing(Books(NOW)) as books:
        books.add(found)
        assert books.counts == owed
    if not wanted:
        assert set(tally.flags) == {"mitigation_lost", "expired", "accepted", "regressed"}
        assert owed.debt > owed.overdue > 0 < owed.orphans


def test_every_case_once_whatever_the_page(ledger, asked, monkeypatch):
    told = book.read_cases(ledger, now=NOW)
    for size in (1, 7, CASES, 1000):
        monkeypatch.setattr(reading, "PAGE", size)
        assert list(reading.every(asked, NOW)) == told


def test_the_worst_come_first_and_no_more_than_were_asked_for(ledger, asked):
    told = reading.worst(asked, NOW, 0)
    assert {one.key for one in told} == {one.key for one in book.read_cases(ledger)}
    ranks = [rank(one) for one in told]
    assert ranks == sorted(ranks)
    assert reading.worst(asked, NOW, 5) == told[:5]


def rank(case):
    loud = [flag for flag in reading.LOUD if flag in case.flags]
    return (reading.LOUD.index(loud[0]) if loud else 2 + reading.BY_URGENCY.index(case.state), case.host)


def test_what_owes_nothing_is_not_read(ledger, asked):
    owing = list(reading.owing(asked, NOW))
    assert {one.key for one in owing} == {one.key for one in book.read_cases(ledger) if one.mitigations}
    assert any(one.state in CLOSED for one in owing)
    explain = "EXPLAIN QUERY PLAN"
    if ledger.dialect.name == "postgresql":
        explain = "EXPLAIN"
        ledger.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table this small is read whole
        explain += " DECLARE here CURSOR FOR"  # as it is read
    plan = ledger.exec_driver_sql(f"{explain} SELECT * FROM cases WHERE {reading.OWES}")
    assert "cases_with_debt" in str(plan.all())


def test_what_is_owed_is_one_view_whoever_writes_between_its_pages(ledger, asked, monkeypatch):
    told = list(reading.owing(asked, NOW))
    monkeypatch.setattr(reading, "PAGE", 2)
    asked.commit()
    found = reading.owing(asked, NOW)
    first = next(found)
    with writing(open_ledger()) as connection:
        connection.exec_driver_sql("DELETE FROM cases WHERE held > 0")
    assert {one.key for one in (first, *found)} == {one.key for one in told}
    asked.commit()
    assert list(reading.owing(asked, NOW)) == []


def test_status_shows_so_many_and_says_how_many_more(ledger):
    lines = stopgap("status", "--limit", "3").splitlines()
    assert len(lines) == 1 + 3 + 2
    assert lines[4].startswith(f"and {CASES - 3} more: --limit 0")
    assert lines[5].startswith(f"{CASES} cases: ")
    assert len(stopgap("status").splitlines()) == len(stopgap("status", "--limit", "0").splitlines()) == 1 + CASES + 1
    told = json.loads(stopgap("status", "--json", "--limit", "3"))
    assert len(told["cases"]) == told["summary"]["cases"] == CASES


def test_debt_shows_so_many_and_says_how_many_more(ledger):
    owed = json.loads(stopgap("debt", "--json"))
    assert owed["summary"]["debt"] == len(owed["debt"]) > 2
    shown = stopgap("debt", "--limit", "2")
    assert f"and {len(owed['debt']) - 2} more: --limit 0" in shown
    assert owed["debt"][0]["host"] in shown
    assert owed["debt"][2]["host"] not in shown
    assert shown.splitlines()[-1].startswith(f"debt {len(owed['debt'])} (")
    assert owed["debt"][2]["host"] in stopgap("debt", "--limit", "0")


def stopgap(*words):
    return typed.stopgap(*words, check=True).stdout
