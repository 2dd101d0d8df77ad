"""What readers ask of the ledger, so that the database does the counting: nothing here holds all cases in memory."""
# ruff: noqa: S608 - queries are put together from our own words; what anybody said is bound by name

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from stopgap.ledger import as_of
from stopgap.ledger import case as case_as
from stopgap.ledger.asking import Asked, streamed
from stopgap.ledger.case import Case
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import spelled

PAGE = 1000  # cases in memory together

# The worst first; a flag outweighs the state.
LOUD = ("mitigation_lost", "regressed")
BY_URGENCY = ("exposed", "unknown", "patched", "mitigated", "not_affected", "fixed")

KEY = "estate, host, remedy"
COLUMNS = ", ".join(case_as.COLUMNS)
OWES = "held > 0"  # as the partial index `cases_with_debt` has it: a bound value would hide it from the planner


@dataclass(frozen=True, slots=True)
class Filter:
    """An empty one takes all. `state` is the state at the moment that is asked about."""

    estate: str = ""
    host: str = ""
    remedy: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.estate or self.host or self.remedy or self.state)

    def where(self, *more: str) -> str:
        """The WHERE clause; `values` has what it names."""
        named = [f"{name} = :{name}" for name in ("estate", "host", "remedy") if getattr(self, name)]
        named += [f"{as_of.STATE} = :state"] if self.state else []
        return f"WHERE {' AND '.join([*more, *named]) or 'true'}"

    def values(self, now: datetime) -> dict[str, str]:
        return asdict(self) | {"now": spelled(now)}


ALL = Filter()


def tally(ledger: Asked, now: datetime, wanted: Filter = ALL) -> Tally:
    """Counted in the database."""
    flags = {name: _flagged(name) for name in LOUD} | {"expired": as_of.EXPIRED, "accepted": as_of.ACCEPTED}
    counted = ", ".join(f"SUM(CASE WHEN {holds} THEN 1 ELSE 0 END)" for holds in flags.values())
    query = f"SELECT {as_of.STATE}, COUNT(*), {counted} FROM cases {wanted.where()} GROUP BY 1"
    found = Tally()
    for name, count, *flagged in ledger.execute(query, wanted.values(now)):
        found.cases += count
        found.states[name] = count
        for flag, number in zip(flags, flagged, strict=True):
            found.flags[flag] = found.flags.get(flag, 0) + int(number)
    return found


def worst(ledger: Asked, now: datetime, most: int, wanted: Filter = ALL) -> list[Case]:
    """At most so many cases (0: all) as they are now: what is lost, regressed or exposed before all others."""
    limit = f" LIMIT {int(most)}" if most else ""
    query = f"SELECT {COLUMNS} FROM cases {wanted.where()} ORDER BY {_urgency()}, {KEY}{limit}"
    return _cases(ledger.execute(query, wanted.values(now)), now)


def every(ledger: Asked, now: datetime, wanted: Filter = ALL) -> Iterator[Case]:
    """All cases as they are now, by estate, host and remedy, a page at a time.

    Each page is a question of its own, asked where the last one ended: who reads slowly holds no transaction open.
    """
    where = wanted.where(f"({KEY}) > (:after_estate, :after_host, :after_remedy)")
    after = ("", "", "")
    while True:
        place = dict(zip(("after_estate", "after_host", "after_remedy"), after, strict=True))
        query = f"SELECT {COLUMNS} FROM cases {where} ORDER BY {KEY} LIMIT {int(PAGE)}"
        page = _cases(ledger.execute(query, wanted.values(now) | place), now)
        ledger.commit()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].key


def owing(ledger: Asked, now: datetime, wanted: Filter = ALL) -> Iterator[Case]:
    """The cases with something in force, as they are now, in no order. What is not owed is not looked at.

    One question, so one view of the ledger however long it takes: whoever takes from it must not wait for anybody.
    """
    query = f"SELECT {COLUMNS} FROM cases {wanted.where(OWES)}"
    return _read(streamed(ledger, query, wanted.values(now), PAGE), now)


def owed_counts(ledger: Asked, now: datetime, wanted: Filter = ALL) -> OwedCounts:
    found, moment = OwedCounts(), spelled(now)
    query = f"SELECT state, mitigations FROM cases {wanted.where(OWES)}"
    for state, mitigations in streamed(ledger, query, wanted.values(now), PAGE):
        found.add(state, [one["expires_at"] for one in json.loads(mitigations)], moment)
    return found


def is_empty(ledger: Asked, now: datetime, wanted: Filter = ALL) -> bool:
    return not list(ledger.execute(f"SELECT host FROM cases {wanted.where()} LIMIT 1", wanted.values(now)))


def _cases(rows: Iterable[Sequence[Any]], now: datetime) -> list[Case]:
    return list(_read(rows, now))


def _read(rows: Iterable[Sequence[Any]], now: datetime) -> Iterator[Case]:
    for row in rows:
        yield case_as.as_of(case_as.from_row(dict(zip(case_as.COLUMNS, row, strict=True))), now)


def _urgency() -> str:
    conditions = [*map(_flagged, LOUD), *(f"{as_of.STATE} = '{state}'" for state in BY_URGENCY)]
    places = " ".join(f"WHEN {holds} THEN {place}" for place, holds in enumerate(conditions))
    return f"CASE {places} ELSE {len(conditions)} END"


def _flagged(name: str) -> str:
    """`flags` is JSON text."""
    return f"flags LIKE '%\"{name}\"%'"
