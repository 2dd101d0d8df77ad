"""What `stopgap debt` says is what sorting all of it in one list would say, and holds no such list."""

import json
import random
import sqlite3
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests import typed
from tests.unit.ledger.makers import START, moment, only_sqlite

from stopgap.cli import debt, ledger_view
from stopgap.ledger import debts, owed_books, readers, reading
from stopgap.ledger.case import CLOSED, STATES, Acceptance, Case, Extension, Mitigation, as_of, to_row
from stopgap.ledger.counts import OwedCounts
from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.json_stream import print_lists
from stopgap.ledger.owed_books import Books
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import cases

NOW = START + timedelta(days=3)
CASES = 120


class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


def made_up(chance, number):
    """Few names and moments, so that much is as old as something else, or of unknown age."""
    held = tuple(mitigation(chance, place) for place in range(chance.choice([0, 1, 1, 1, 2, 3])))
    ends = [one.expires_at for one in held]
    return Case(
        estate=chance.choice(["default", "branch"]),
        host=chance.choice(["web", "Web", "w\u00e9b", "web-1"]),
        remedy=f"CVE-{number // 8}",
        state=chance.choice(STATES),
        since=moment(0),
        waiting_for=chance.choice(["fix not tried yet", "nginx: candidate 1 < required 2"]),
        mitigations=held,
        held=len(held),
        protected_until=max(ends) if held and None not in ends else None,
        acceptance=chance.choice([None, Acceptance(until=moment(9000), by="ann", why="frozen")]),
    )


def mitigation(chance, place):
    return Mitigation(
        id="limits",
        entry=f"E{place}",
        state="applied",
        applied_at=chance.choice([None, moment(0), moment(1), moment(2)]),
        owner=chance.choice(["", "ann"]),
        expires_at=chance.choice([None, moment(10), moment(9000)]),
        proof=chance.choice(["", "pass"]),
        proven_at=moment(3),
        extended=chance.choice([None, Extension(until=moment(10), by="bob", why="freeze")]),
    )


@pytest.fixture
def told(state, monkeypatch):
    """The cases in a ledger, as they are now; pages so small that there are many."""
    chance = random.Random(11)  # noqa: S311 - a made-up ledger
    made = {one.key: one for one in (made_up(chance, number) for number in range(CASES))}
    with writing(open_ledger()) as connection:
        connection.execute(sa.insert(cases), [to_row(one) for one in made.values()])
    monkeypatch.setattr(readers, "datetime", Clock)
    monkeypatch.setattr(reading, "PAGE", 7)
    monkeypatch.setattr(owed_books, "PAGE", 5)
    monkeypatch.setattr(debt, "BREACHES_TOLD", 20)
    return [as_of(one, NOW) for one in made.values()]


def sorted_plainly(told):
    """(debt, orphans)"""
    rows = [row for case in told for row in debts.owed(case, NOW)]
    rows.sort(key=lambda row: (row.since or "", row.host, row.remedy, row.entry, row.estate))
    return [row for row in rows if row.state not in CLOSED], [row for row in rows if row.state in CLOSED]


def counted_plainly(told):
    owed, orphans = sorted_plainly(told)
    return OwedCounts(len(owed), sum(row.overdue for row in owed), len(orphans))


def test_json_is_that_of_one_sorted_list(told):
    owed, orphans = sorted_plainly(told)
    keys = [(row.since, row.host, row.remedy, row.entry) for row in (*owed, *orphans)]
    assert None in {row.since for row in owed}
    assert len(set(keys)) < len(keys)  # ties, which the estate decides
    counts = counted_plainly(told)
    summary = {"debt": counts.debt, "overdue": counts.overdue, "orphans": counts.orphans}
    rows = {"debt": [debts.to_dict(row) for row in owed], "orphans": [debts.to_dict(row) for row in orphans]}
    assert stopgap("--json") == json.dumps({**rows, "summary": summary}, indent=2) + "\n"


@pytest.mark.parametrize("limit", [0, 1, 30, 10_000])
def test_text_is_that_of_one_sorted_list(told, limit):
    owed, orphans = sorted_plainly(told)
    said = table(ledger_view.DEBT_COLUMNS, owed, limit)
    said += ["orphans: in force after their fix", *table(ledger_view.ORPHAN_COLUMNS, orphans, limit)]
    assert stopgap("--limit", str(limit)).splitlines() == [*said, debts.owed_line(counted_plainly(told))]


def table(columns, rows, limit):
    shown = rows[:limit] if limit else rows
    several = len({row.estate for row in shown}) > 1
    cells = [columns, *ledger_view.DebtRows(shown, several, NOW)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, (*widths[:-1], 0))).rstrip() for row in cells]
    more = (
        f"and {len(rows) - len(shown)} more: --limit 0 shows all, --json has all; --host, --remedy, --estate narrow it"
    )
    return lines + [more] * (len(shown) < len(rows))


@pytest.mark.parametrize("fail_on", debt.FailOn)
def test_breaches_are_told_in_that_order_and_counted(told, fail_on):
    breached = [row for rows in sorted_plainly(told) for row in rows if fail_on is debt.FailOn.any or row.overdue]
    lines = [f"stopgap: {ledger_view.breach_line(row, NOW)}" for row in breached[:20]]
    done = typed.stopgap("debt", "--fail-on", fail_on.value)
    assert done.returncode == 4
    assert done.stderr.splitlines() == [*lines, f"stopgap: and {len(breached) - 20} more"]


@pytest.mark.parametrize("wanted", [["--host", "web"], ["--estate", "branch"], ["--remedy", "CVE-3"]])
def test_only_what_was_asked_for(told, wanted):
    name = wanted[0].removeprefix("--")
    owed, orphans = sorted_plainly([one for one in told if getattr(one, name) == wanted[1]])
    said = json.loads(stopgap("--json", *wanted))
    assert [one["entry"] for one in said["debt"]] == [row.entry for row in owed]
    assert [one["entry"] for one in said["orphans"]] == [row.entry for row in orphans]


@only_sqlite
def test_cases_of_which_nothing_is_owed_are_not_an_empty_ledger(state):
    with writing(open_ledger()) as connection:
        connection.execute(sa.insert(cases), [to_row(Case("default", "web", "CVE-1", since=moment(0)))])
    assert stopgap() == "debt 0, orphans 0\n"
    assert stopgap("--host", "mail").startswith("No case matches")


@pytest.mark.parametrize("rows", [[], [{"a": "two\nlines", "b": []}], [{"a": {"b": [1, None]}}, {"a": "\u00e9\u2028"}]])
def test_lists_are_written_as_json_would(rows, capsys):
    print_lists({"rows": iter(rows), "none": []}, {"summary": {"debt": 3}, "more": []})
    whole = {"rows": rows, "none": [], "summary": {"debt": 3}, "more": []}
    assert capsys.readouterr().out == json.dumps(whole, indent=2) + "\n"


def many(count):
    held = Mitigation(id="limits", entry="E", state="applied", applied_at=moment(0), proof_reason="x" * 1000)
    return (Case("default", f"web{number}", "CVE-1", mitigations=(held,), held=1) for number in range(count))


def test_memory_does_not_grow_with_what_is_owed():
    few, more = peak(2_000), peak(8_000)
    assert more < 1.2 * few


def peak(count):
    """Bytes of Python's own."""
    tracemalloc.start()
    try:
        with closing(Books(datetime.now(UTC))) as books:
            books.add(many(count))
            assert sum(1 for _ in books.rows(owed_books.DEBT)) == books.counts.debt == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_full_disk_is_a_sentence():
    with closing(Books(NOW)) as books:
        books._kept.execute("PRAGMA max_page_count = 20")
        with pytest.raises(LedgerUnavailable, match=r"temporary file: database or disk is full; SQLITE_TMPDIR="):
            books.add(many(10_000))


def test_the_ledger_s_own_trouble_is_not_told_as_that_of_the_temporary_file():
    def broken():
        yield from many(1)
        raise sqlite3.OperationalError("no such table: cases")

    with closing(Books(NOW)) as books, pytest.raises(sqlite3.OperationalError):
        books.add(broken())


def stopgap(*words):
    return typed.stopgap("debt", *words, check=True).stdout
