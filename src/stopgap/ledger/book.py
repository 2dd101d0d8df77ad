"""Writing events down, keeping the cases in step, and reading them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from stopgap.ledger import case as case_of
from stopgap.ledger.case import Case
from stopgap.ledger.chain import link
from stopgap.ledger.events import FIELDS, TIME_FORMAT, Event
from stopgap.ledger.keeping import CHUNK, by_estate, chunks, differences, fold_on, refresh, refresh_all, touched_by
from stopgap.ledger.projection import Key
from stopgap.ledger.tables import cases, chains, events, pen

__all__ = [
    "CHUNK", "Key", "append", "differences", "read_cases", "rebuild", "record", "refresh", "set_heads", "take_the_pen",
    "touched_by",
]  # fmt: skip

AT_ONCE = 2000  # events in memory together

# An SQLite file has no clock but ours.
NOW = {
    "sqlite": "SELECT NULL",
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}


def record(connection: sa.Connection, given: Iterable[Event]) -> int:
    """Append what is new and fold it on to the cases it touches. Returns how many events were new."""
    writer, now = take_the_pen(connection)
    stream, count = iter(given), 0
    while part := list(islice(stream, AT_ONCE)):
        count += _record_part(connection, part, writer, now)
    return count


def _record_part(connection: sa.Connection, part: list[Event], writer: str, now: str) -> int:
    by_id = {event.id: event for event in part}
    for known in _known_ids(connection, list(by_id)):
        del by_id[known]
    fresh = list(by_id.values())
    if fresh:
        hashes = append(connection, fresh, writer, now)
        fold_on(connection, [(event, now, hash_) for event, hash_ in zip(fresh, hashes, strict=True)])
    return len(fresh)


def take_the_pen(connection: sa.Connection) -> tuple[str, str]:
    """Wait for any other writer. First in each writing transaction, see tables.pen.

    Returns this ledger's id, and the time by its database's clock: one clock for all who write into it.
    """
    connection.execute(sa.update(pen).values(taken_at=_this_moment()))
    now = connection.scalar(sa.text(NOW[connection.dialect.name])) or _this_moment()
    return str(connection.scalar(sa.select(pen.c.writer))), str(now)


def append(connection: sa.Connection, fresh: Sequence[Event], writer: str, now: str) -> list[str]:
    """Each event becomes the next link of the chain of its host. Returns their hashes."""
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
    return [str(row["hash"]) for row in rows]


def set_heads(connection: sa.Connection, writer: str, heads: Mapping[tuple[str, str], tuple[int, str]]) -> None:
    rows = [
        {"writer": writer, "estate": estate, "host": host, "seq": seq, "hash": last}
        for (estate, host), (seq, last) in heads.items()
    ]
    on_sqlite = connection.dialect.name == "sqlite"
    insert = sqlite.insert(chains) if on_sqlite else postgresql.insert(chains)
    newer = {"seq": insert.excluded.seq, "hash": insert.excluded.hash}
    connection.execute(insert.on_conflict_do_update(index_elements=list(chains.primary_key), set_=newer), rows)


def rebuild(connection: sa.Connection) -> int:
    """Forget every case and project all of them. Returns how many there are."""
    take_the_pen(connection)
    connection.execute(sa.delete(cases))
    return refresh_all(connection)


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


def _known_ids(connection: sa.Connection, ids: list[str]) -> Iterator[str]:
    for part in chunks(ids):
        yield from connection.scalars(sa.select(events.c.id).where(events.c.id.in_(part)))


def _heads(
    connection: sa.Connection, writer: str, hosts: set[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, str]]:
    found = {}
    for estate, names in by_estate(hosts):
        for part in chunks(names):
            same = (chains.c.writer == writer, chains.c.estate == estate, chains.c.host.in_(part))
            for row in connection.execute(sa.select(chains).where(*same)):
                found[row.estate, row.host] = (row.seq, row.hash)
    return found


def _event_row(event: Event) -> dict[str, Any]:
    evidence = json.dumps(event.evidence, ensure_ascii=False, separators=(",", ":"))
    return {name: getattr(event, name) for name in FIELDS} | {"evidence": evidence}


def _this_moment() -> str:
    return datetime.now(UTC).strftime(TIME_FORMAT)
