"""Writing events down, keeping the cases in step, and reading them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from stopgap.ledger import as_of, bulk, keeping, machines, pages
from stopgap.ledger import case as case_as
from stopgap.ledger.case import Case
from stopgap.ledger.clocks import heard_ahead, recorded_ahead, sentence
from stopgap.ledger.events import OF_NOBODY, Event, spelled
from stopgap.ledger.garbage import not_collected
from stopgap.ledger.keeping import (
    CHUNK,
    clock_limits,
    fold_on_knowledge,
    refresh,
    refresh_all,
    touched_by,
)
from stopgap.ledger.links import link_on, read_heads, set_heads
from stopgap.ledger.outdated import outdated
from stopgap.ledger.projection import Key
from stopgap.ledger.tables import cases, events, pen

__all__ = [
    "CHUNK", "Key", "append", "differences", "read_cases", "rebuild", "record", "refresh", "set_heads", "take_the_pen",
    "tell_clocks", "touched_by",
]  # fmt: skip

Known = Callable[[Collection[str]], set[str]]  # which of these ids the ledger has
News = Callable[
    [Known, int], Iterator[list[Event]]
]  # at most so many at a time, each recorded before the next is asked

AT_ONCE = 10000  # events in memory together: more of them make fewer visits to each case

_IDS = sa.select(events.c.id)
_LATEST_ID = sa.select(sa.func.max(events.c.id))

# An SQLite file has no clock but ours.
NOW = {
    "sqlite": "NULL",
    "postgresql": "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}


class Pen(NamedTuple):
    """In hand until the transaction ends."""

    writer: str  # this ledger's id
    now: str  # by its database's clock: one clock for all who write into it
    taken_at: str  # by whoever wrote before


def _to_nobody(_sentence: str) -> None:
    pass


def record(connection: sa.Connection, given: Iterable[Event], warn: Callable[[str], None] = _to_nobody) -> int:
    """Append what is new and fold it on to the cases it touches. Returns how many events were new.

    `warn` is given a sentence for each run whose clock was ahead, and for each remedy of which it knew an old revision.
    """
    return record_news(connection, partial(_news, given), warn)


def record_news(connection: sa.Connection, news: News, warn: Callable[[str], None]) -> int:
    """The same, of a source that leaves out by itself what is known."""
    pages, count = _Pages(connection, warn), 0
    with not_collected():
        for part in news(partial(_known, connection), AT_ONCE):
            pages.write(part)
            count += len(part)
            del part  # nothing is left to look through when the search goes on
    connection.execute(sa.update(pen).values(taken_at=pages.now))
    return count


def _news(given: Iterable[Event], known: Known, at_once: int) -> Iterator[list[Event]]:
    stream = iter(given)
    while part := list(islice(stream, at_once)):
        by_id = {event.id: event for event in part}
        for one in known(by_id.keys()):
            del by_id[one]
        yield list(by_id.values())


def _known(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Ids begin with the time they were made: nearly all that is new comes after all that is known."""
    latest = connection.scalar(_LATEST_ID) or ""
    some = [one for one in ids if one <= latest]
    return {row.id for row in bulk.each_of(connection, _IDS, events.c.id, some)} if some else set()


class _Pages:
    """One delivery, written a part at a time."""

    def __init__(self, connection: sa.Connection, warn: Callable[[str], None]) -> None:
        self._connection = connection
        self._warn = warn
        self._writer, self.now, self._taken_at = take_the_pen(connection)
        self._limits = clock_limits(connection)
        self._known_ahead = _known_ahead(self._limits, self.now)

    def write(self, fresh: list[Event]) -> None:
        connection, now, known = self._connection, self.now, self._known_ahead
        ahead = recorded_ahead(connection, self._taken_at, now, fresh, known) + heard_ahead(fresh, now, known)
        self._limits = _write_down(connection, fresh + ahead, self._writer, now, self._limits)
        self._taken_at = now
        for event in ahead:
            known.add(event.run)
            self._warn(sentence(event))
        for told in outdated(connection, fresh):
            self._warn(told)


def tell_clocks(connection: sa.Connection, given: Iterable[Event]) -> list[str]:
    """Of events that came in by import: what a run with a clock ahead said gets its place. A sentence each."""
    writer, now, _ = take_the_pen(connection)
    limits = clock_limits(connection)
    ahead = heard_ahead(given, now, _known_ahead(limits, now))
    _write_down(connection, ahead, writer, now, limits)
    return [sentence(event) for event in ahead]


def _known_ahead(limits: Mapping[str, str], now: str) -> set[str]:
    return {run for run, until in limits.items() if until <= now}


def _write_down(
    connection: sa.Connection, fresh: list[Event], writer: str, now: str, limits: Mapping[str, str]
) -> Mapping[str, str]:
    """Returns the limits of clocks as they are afterwards."""
    knowledge = [event for event in fresh if event.kind in OF_NOBODY]
    of_hosts = [event for event in fresh if event.kind not in OF_NOBODY] if knowledge else fresh
    if knowledge:  # first: it is about new cases as well
        hashes = append(connection, knowledge, writer, now)
        fold_on_knowledge(connection, [(event, now, hash_) for event, hash_ in zip(knowledge, hashes, strict=True)])
        limits = clock_limits(connection)
    pages.write_down(connection, of_hosts, writer, now, limits)
    return limits


def take_the_pen(connection: sa.Connection) -> Pen:
    """Wait for any other writer. First in each writing transaction, see tables.pen."""
    connection.execute(sa.update(pen).values(taken_at=pen.c.taken_at))
    now: sa.ColumnElement[str | None] = sa.literal_column(NOW[connection.dialect.name])
    writer, told, taken_at = connection.execute(sa.select(pen.c.writer, now, pen.c.taken_at)).one()
    return Pen(writer, told or _this_moment(), taken_at)


def append(connection: sa.Connection, fresh: Sequence[Event], writer: str, now: str) -> list[str]:
    """Events alone, without what they make of cases. Returns their hashes."""
    heads = read_heads(connection, writer, {(event.estate, event.host) for event in fresh})
    linked = link_on(fresh, heads, writer, now)
    bulk.insert(connection, events, linked.rows)
    set_heads(connection, writer, linked.heads)
    return linked.hashes


def rebuild(connection: sa.Connection) -> int:
    """Forget every case and project all of them. Returns how many there are."""
    take_the_pen(connection)
    connection.execute(sa.delete(cases))
    machines.rebuild(connection)
    return refresh_all(connection)


def differences(connection: sa.Connection) -> list[Key]:
    """What is kept otherwise than the events say, cases and (with remedy "") machines: none, or something is wrong."""
    hosts = [(estate, host, "") for estate, host in machines.differences(connection)]
    return sorted(keeping.differences(connection) + hosts)


def remedies(connection: sa.Connection) -> list[str]:
    """The ids of all that have cases."""
    return list(connection.scalars(sa.select(cases.c.remedy).distinct().order_by(cases.c.remedy)))


def read_cases(
    connection: sa.Connection,
    *,
    estate: str = "",
    host: str = "",
    remedy: str = "",
    state: str = "",
    now: datetime | None = None,
) -> list[Case]:
    """Sorted by estate, host, remedy. An empty filter takes all. As kept, or as they are at the moment `now`."""
    wanted = ((cases.c.estate, estate), (cases.c.host, host), (cases.c.remedy, remedy))
    query = sa.select(*(cases.c[name] for name in case_as.COLUMNS)).where(
        *(column == value for column, value in wanted if value)
    )
    if state:
        held = as_of.STATE if now else "state"
        query = query.where(sa.text(f"{held} = :wanted"))
    query = query.order_by(cases.c.estate, cases.c.host, cases.c.remedy)
    values = {"wanted": state} | ({"now": spelled(now)} if now else {})
    found = [case_as.from_row(dict(row)) for row in connection.execute(query, values).mappings()]
    return [case_as.as_of(one, now) for one in found] if now else found


def _this_moment() -> str:
    return spelled(datetime.now(UTC))
