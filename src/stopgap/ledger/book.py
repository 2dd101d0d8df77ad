"""Writing events down, keeping the cases in step, and reading them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from stopgap.ledger import case as case_of
from stopgap.ledger.case import Case
from stopgap.ledger.chain import link
from stopgap.ledger.events import FIELDS, OF_HOST, Event
from stopgap.ledger.projection import project
from stopgap.ledger.tables import cases, chains, events, pen

Key = tuple[str, str, str]  # estate, host, remedy

CHUNK = 400  # bound values a statement; SQLite's old limit is 999

# An SQLite file has no clock but ours.
NOW = {
    "sqlite": "SELECT NULL",
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}


def record(connection: sa.Connection, given: Iterable[Event]) -> int:
    """Append what is new and project the cases it touches again. Returns how many events were new."""
    writer, now = take_the_pen(connection)
    by_id = {event.id: event for event in given}
    for known in _known_ids(connection, list(by_id)):
        del by_id[known]
    fresh = list(by_id.values())
    if fresh:
        append(connection, fresh, writer, now)
        refresh(connection, touched_by(connection, fresh))
    return len(fresh)


def take_the_pen(connection: sa.Connection) -> tuple[str, str]:
    """Wait for any other writer. First in each writing transaction, see tables.pen.

    Returns this ledger's id, and the time by its database's clock: one clock for all who write into it.
    """
    connection.execute(sa.update(pen).values(taken_at=_this_moment()))
    now = connection.scalar(sa.text(NOW[connection.dialect.name])) or _this_moment()
    return str(connection.scalar(sa.select(pen.c.writer))), str(now)


def append(connection: sa.Connection, fresh: Sequence[Event], writer: str, now: str) -> None:
    """Each event becomes the next link of the chain of its host."""
    heads = _heads(connection, writer, {(event.estate, event.host) for event in fresh})
    rows = []
    for event in fresh:
        seq, last = heads.get((event.estate, event.host), (0, ""))
        row = _event_row(event) | {"writer": writer, "seq": seq + 1, "recorded_at": now}
        row["hash"] = link(last, row)
        heads[event.estate, event.host] = (row["seq"], row["hash"])
        rows.append(row)
    connection.execute(sa.insert(events), rows)
    set_heads(connection, writer, heads)


def set_heads(connection: sa.Connection, writer: str, heads: Mapping[tuple[str, str], tuple[int, str]]) -> None:
    rows = [
        {"writer": writer, "estate": estate, "host": host, "seq": seq, "hash": last}
        for (estate, host), (seq, last) in heads.items()
    ]
    on_sqlite = connection.dialect.name == "sqlite"
    insert = sqlite.insert(chains) if on_sqlite else postgresql.insert(chains)
    newer = {"seq": insert.excluded.seq, "hash": insert.excluded.hash}
    connection.execute(insert.on_conflict_do_update(index_elements=list(chains.primary_key), set_=newer), rows)


def touched_by(connection: sa.Connection, fresh: Sequence[Event]) -> set[Key]:
    """The cases these events are about; what a host's journal holds in all is about each of its cases."""
    named = {(event.estate, event.host, event.remedy) for event in fresh if event.remedy and event.host}
    for estate, hosts in _by_estate({(event.estate, event.host) for event in fresh if event.kind in OF_HOST}):
        for part in _chunks(hosts):
            query = sa.select(cases.c.host, cases.c.remedy).where(cases.c.estate == estate, cases.c.host.in_(part))
            named.update((estate, host, remedy) for host, remedy in connection.execute(query))
    return named


def refresh(connection: sa.Connection, keys: set[Key]) -> None:
    """Project these cases from all their events and replace what is kept of them."""
    if not keys:
        return
    projected = list(_projected(connection, keys))
    same = [cases.c[name] == sa.bindparam(f"its_{name}") for name in ("estate", "host", "remedy")]
    connection.execute(
        sa.delete(cases).where(*same),
        [{"its_estate": estate, "its_host": host, "its_remedy": remedy} for estate, host, remedy in keys],
    )
    connection.execute(sa.insert(cases), [case_of.to_row(one) for one in projected])


def rebuild(connection: sa.Connection) -> int:
    """Forget every case and project all of them. Returns how many there are."""
    take_the_pen(connection)
    connection.execute(sa.delete(cases))
    keys = _all_keys(connection)
    refresh(connection, keys)
    return len(keys)


def differences(connection: sa.Connection) -> list[Key]:
    """Cases whose kept form is not what their events say: always empty, or something is wrong."""
    kept = {one.key: one for one in read_cases(connection)}
    rebuilt = {one.key: one for one in _projected(connection, _all_keys(connection))}
    return sorted(key for key in kept.keys() | rebuilt.keys() if kept.get(key) != rebuilt.get(key))


def read_cases(
    connection: sa.Connection, *, estate: str = "", host: str = "", remedy: str = "", state: str = ""
) -> list[Case]:
    """Sorted by estate, host, remedy. An empty filter takes all."""
    wanted = {"estate": estate, "host": host, "remedy": remedy, "state": state}
    query = sa.select(*(cases.c[name] for name in case_of.COLUMNS)).where(
        *(cases.c[name] == value for name, value in wanted.items() if value)
    )
    query = query.order_by(cases.c.estate, cases.c.host, cases.c.remedy)
    return [case_of.from_row(dict(row)) for row in connection.execute(query).mappings()]


def _projected(connection: sa.Connection, keys: set[Key]) -> Iterator[Case]:
    for estate, hosts in _by_estate({(estate, host) for estate, host, _ in keys}):
        for part in _chunks(hosts):
            yield from _projected_hosts(connection, estate, part, keys)


def _projected_hosts(connection: sa.Connection, estate: str, hosts: list[str], keys: set[Key]) -> Iterator[Case]:
    told: dict[Key, list[Event]] = {}
    query = sa.select(events).where(events.c.estate == estate, events.c.host.in_(hosts))
    for row in connection.execute(query).mappings():
        told.setdefault((row["estate"], row["host"], row["remedy"]), []).append(_event(row))
    for key, own in told.items():
        if key in keys:
            yield project(own + told.get((estate, key[1], ""), []))


def _known_ids(connection: sa.Connection, ids: list[str]) -> Iterator[str]:
    for part in _chunks(ids):
        yield from connection.scalars(sa.select(events.c.id).where(events.c.id.in_(part)))


def _all_keys(connection: sa.Connection) -> set[Key]:
    named = (events.c.remedy != "", events.c.host != "")
    query = sa.select(events.c.estate, events.c.host, events.c.remedy).where(*named).distinct()
    return {(estate, host, remedy) for estate, host, remedy in connection.execute(query)}


def _heads(
    connection: sa.Connection, writer: str, hosts: set[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, str]]:
    found = {}
    for estate, names in _by_estate(hosts):
        for part in _chunks(names):
            same = (chains.c.writer == writer, chains.c.estate == estate, chains.c.host.in_(part))
            for row in connection.execute(sa.select(chains).where(*same)):
                found[row.estate, row.host] = (row.seq, row.hash)
    return found


def _by_estate(pairs: set[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for estate, group in groupby(sorted(pairs), key=lambda pair: pair[0]):
        yield estate, [host for _, host in group]


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _event_row(event: Event) -> dict[str, Any]:
    evidence = json.dumps(event.evidence, ensure_ascii=False, separators=(",", ":"))
    return {name: getattr(event, name) for name in FIELDS} | {"evidence": evidence}


def _event(row: sa.RowMapping) -> Event:
    return Event(**{name: row[name] for name in FIELDS} | {"evidence": json.loads(row["evidence"])})


def _this_moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
