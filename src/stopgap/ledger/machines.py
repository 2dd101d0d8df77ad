"""Which machine answered to a name, and when: from the `host_id` that journals and assessments carry.

Kept as the first and the last time each was seen, so the order in which events arrive does not matter. A time is never
later than the ledger wrote its event down.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import bulk
from stopgap.ledger.events import OF_MACHINE, Event, machine_in
from stopgap.ledger.hosts import Host
from stopgap.ledger.tables import events, machines

Seen = tuple[str, str, str, str]  # estate, host, host_id, when
Row = dict[str, Any]  # of the table

AT_ONCE = 2000
COLUMNS = tuple(column.name for column in machines.c)

_KNOWN = sa.select(machines.c.host, machines.c.host_id, machines.c.last_seen)
_SEVERAL = sa.select(machines.c.host).group_by(machines.c.host).having(sa.func.count() > 1)

# Times are text of one width, so they sort as text.
WIDER = ", ".join(
    f"{name} = CASE WHEN excluded.{name} {is_wider} machines.{name} THEN excluded.{name} ELSE machines.{name} END"
    for name, is_wider in (("first_seen", "<"), ("last_seen", ">"))
)


def observe(connection: sa.Connection, fresh: Iterable[tuple[Event, str]]) -> None:
    """Of events that were just written, each with the time the ledger wrote it down."""
    told = ((event, recorded_at) for event, recorded_at in fresh if event.machine)
    write(connection, rows_of(spans((e.estate, e.host, e.machine, min(e.at, recorded_at)) for e, recorded_at in told)))


def moved(connection: sa.Connection, hosts: Iterable[Host]) -> set[Host]:
    """Those of these (estate, host) under whose name several machines have answered: very few."""
    return {(estate, row.host) for estate, row in bulk.of_hosts(connection, _SEVERAL, machines, hosts)}


def known(connection: sa.Connection, hosts: Iterable[Host]) -> dict[Host, dict[str, str]]:
    """Which machines have answered to these names, and when each was last heard."""
    found: dict[Host, dict[str, str]] = {}
    for estate, (host, who, when) in bulk.of_hosts(connection, _KNOWN, machines, hosts):
        found.setdefault((estate, host), {})[who] = when
    return found


def last_seen(connection: sa.Connection, hosts: Iterable[Host]) -> dict[Host, str]:
    """When any machine of theirs was last heard, where one was."""
    return {host: max(several.values()) for host, several in known(connection, hosts).items()}


def sighting(event: Event) -> Event:
    """That another machine answered, as an event about all cases of its host, whichever it was heard for."""
    return Event(
        id=f"machine-{event.id}",
        at=event.at,
        estate=event.estate,
        host=event.host,
        remedy="",
        revision=0,
        kind="journal",
        verdict="seen",
        reason="",
        evidence={"host_id": event.machine},
        actor="",
        run="",
        origin="",
    )


def rebuild(connection: sa.Connection) -> None:
    connection.execute(sa.delete(machines))
    write(connection, rows_of(_from_events(connection)))


def differences(connection: sa.Connection) -> list[tuple[str, str]]:
    """(estate, host) of machines kept otherwise than the events say: always none, or something is wrong."""
    kept = {tuple(row) for row in connection.execute(sa.select(*(machines.c[name] for name in COLUMNS)))}
    said = {tuple(row[name] for name in COLUMNS) for row in _from_events(connection)}
    return sorted({(row[0], row[1]) for row in kept ^ said})


def spans(seen: Iterable[Seen]) -> list[Row]:
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for estate, host, who, when in seen:
        first, last = found.get((estate, host, who), (when, when))
        found[estate, host, who] = (min(first, when), max(last, when))
    return [
        {"estate": estate, "host": host, "host_id": who, "first_seen": first, "last_seen": last}
        for (estate, host, who), (first, last) in found.items()
    ]


def _from_events(connection: sa.Connection) -> list[Row]:
    columns = (events.c.estate, events.c.host, events.c.at, events.c.recorded_at, events.c.evidence)
    query = sa.select(*columns).where(events.c.kind.in_(OF_MACHINE)).execution_options(yield_per=AT_ONCE)
    return spans(_seen(connection.execute(query)))


def _seen(rows: Iterable[sa.Row[Any]]) -> Iterator[Seen]:
    """`at` is when a controller heard of it: these kinds carry no other time."""
    for row in rows:
        who = machine_in(json.loads(row.evidence)) if '"host_id"' in row.evidence else ""
        if who:
            yield row.estate, row.host, who, min(row.at, row.recorded_at)


def rows_of(told: Iterable[Row]) -> list[bulk.Row]:
    return bulk.rows_of(machines, told)


def write(connection: sa.Connection, rows: Sequence[bulk.Row]) -> None:
    bulk.upsert(connection, machines, rows, WIDER)
