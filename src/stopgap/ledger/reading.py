"""What readers ask of the ledger, so that the database does the counting: nothing here holds all cases in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from stopgap.ledger import case as case_as
from stopgap.ledger.as_of import accepted_as_of, expired_as_of, state_as_of
from stopgap.ledger.case import Case
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import spelled
from stopgap.ledger.tables import cases

PAGE = 1000  # cases in memory together

# The worst first; a flag outweighs the state.
LOUD = ("mitigation_lost", "regressed")
BY_URGENCY = ("exposed", "unknown", "patched", "mitigated", "not_affected", "fixed")

KEY = (cases.c.estate, cases.c.host, cases.c.remedy)
COLUMNS = tuple(cases.c[name] for name in case_as.COLUMNS)
# Spelled as the partial index `cases_with_debt` has it: a bound value would hide it from the planner.
OWES = sa.text("held > 0")


@dataclass(frozen=True, slots=True)
class Filter:
    """An empty one takes all. `state` is the state at the moment that is asked about."""

    estate: str = ""
    host: str = ""
    remedy: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.estate or self.host or self.remedy or self.state)

    def where(self, now: datetime) -> list[sa.ColumnElement[bool]]:
        pairs = [(cases.c.estate, self.estate), (cases.c.host, self.host), (cases.c.remedy, self.remedy)]
        wanted = [column == value for column, value in pairs if value]
        return [*wanted, state_as_of(now) == self.state] if self.state else wanted


ALL = Filter()


def tally(connection: sa.Connection, now: datetime, wanted: Filter = ALL) -> Tally:
    """Counted in the database."""
    flags = {name: _flagged(name) for name in LOUD} | {"expired": expired_as_of(now), "accepted": accepted_as_of(now)}
    state = state_as_of(now).label("now")
    counted = [sa.func.sum(sa.case((holds, 1), else_=0)) for holds in flags.values()]
    found = Tally()
    query = sa.select(state, sa.func.count(), *counted).where(*wanted.where(now)).group_by("now")
    for name, count, *flagged in connection.execute(query):
        found.cases += count
        found.states[name] = count
        for flag, number in zip(flags, flagged, strict=True):
            found.flags[flag] = found.flags.get(flag, 0) + int(number)
    return found


def worst(connection: sa.Connection, now: datetime, most: int, wanted: Filter = ALL) -> list[Case]:
    """At most so many cases (0: all) as they are now: what is lost, regressed or exposed before all others."""
    query = sa.select(*COLUMNS).where(*wanted.where(now)).order_by(_urgency(now), *KEY)
    rows = connection.execute(query.limit(most) if most else query).mappings()
    return [case_as.as_of(case_as.from_row(dict(row)), now) for row in rows]


def every(connection: sa.Connection, now: datetime, wanted: Filter = ALL) -> Iterator[Case]:
    """All cases as they are now, by estate, host and remedy, a page at a time.

    Each page is a question of its own, asked where the last one ended: who reads slowly holds no transaction open.
    """
    where, after = wanted.where(now), ("", "", "")
    while True:
        query = sa.select(*COLUMNS).where(*where, sa.tuple_(*KEY) > sa.tuple_(*after)).order_by(*KEY).limit(PAGE)
        page = [case_as.from_row(dict(row)) for row in connection.execute(query).mappings()]
        connection.commit()
        for one in page:
            yield case_as.as_of(one, now)
        if len(page) < PAGE:
            return
        after = page[-1].key


def owing(connection: sa.Connection, now: datetime, wanted: Filter = ALL) -> list[Case]:
    """The cases with something in force, as they are now. What is not owed is not looked at."""
    rows = connection.execute(sa.select(*COLUMNS).where(OWES, *wanted.where(now))).mappings()
    return [case_as.as_of(case_as.from_row(dict(row)), now) for row in rows]


def owed_counts(connection: sa.Connection, now: datetime, wanted: Filter = ALL) -> OwedCounts:
    found, moment = OwedCounts(), spelled(now)
    query = sa.select(cases.c.state, cases.c.mitigations).where(OWES, *wanted.where(now))
    for state, mitigations in connection.execute(query):
        found.add(state, [one["expires_at"] for one in json.loads(mitigations)], moment)
    return found


def is_empty(connection: sa.Connection, now: datetime, wanted: Filter = ALL) -> bool:
    return connection.scalar(sa.select(cases.c.host).where(*wanted.where(now)).limit(1)) is None


def _urgency(now: datetime) -> sa.ColumnElement[int]:
    state = state_as_of(now)
    loud = [(_flagged(name), place) for place, name in enumerate(LOUD)]
    by_state = [(state == name, place) for place, name in enumerate(BY_URGENCY, start=len(loud))]
    return sa.case(*loud, *by_state, else_=len(loud) + len(by_state))


def _flagged(name: str) -> sa.ColumnElement[bool]:
    """`flags` is JSON text."""
    return cases.c.flags.contains(f'"{name}"', autoescape=True)
