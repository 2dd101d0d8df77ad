"""What risk reads of the ledger's cases: only the columns that decide, so that a hundred thousand take no time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stopgap.ledger.case import CLOSED
from stopgap.ledger.tables import cases


@dataclass(frozen=True, slots=True)
class OpenCase:
    """See order.Subject. State and flags are as of the moment that was asked about."""

    estate: str
    host: str
    remedy: str
    state: str
    flags: tuple[str, ...]
    exposed_at: str | None
    accepted_until: str | None
    exposure: str
    criticality: str
    owner: str


DECIDING = (*(cases.c[name] for name in OpenCase.__slots__), cases.c.protected_until)


def open_cases(connection: sa.Connection, moment: str, **filters: str) -> Iterator[OpenCase]:
    """`moment` is a time as in events; filters are columns, "" takes all."""
    state = filters.pop("state", "")
    query = sa.select(*DECIDING).where(cases.c.state.not_in(sorted(CLOSED)))
    query = query.where(*(cases.c[name] == value for name, value in filters.items() if value))
    for row in connection.execute(query):
        one = _as_of(row, moment)
        if state in ("", one.state):
            yield one


def _as_of(row: Any, moment: str) -> OpenCase:
    flags = () if row.flags == "[]" else tuple(json.loads(row.flags))
    state, flags = as_of(row.state, flags, row.protected_until, moment)
    return OpenCase(
        row.estate,
        row.host,
        row.remedy,
        state,
        flags,
        row.exposed_at,
        row.accepted_until,
        row.exposure,
        row.criticality,
        row.owner,
    )


def as_of(state: str, flags: tuple[str, ...], protected_until: str | None, moment: str) -> tuple[str, tuple[str, ...]]:
    """A mitigation past its time protects nobody, whether or not an event has said so since."""
    if state == "mitigated" and protected_until is not None and protected_until <= moment:
        return "exposed", tuple(dict.fromkeys((*flags, "expired")))
    return state, flags


def cases_of(connection: sa.Connection, host: str, estate: str = "") -> list[dict[str, Any]]:
    """All that is kept of a host's cases, JSON columns read."""
    query = sa.select(cases).where(cases.c.host == host).order_by(cases.c.estate, cases.c.remedy)
    query = query.where(cases.c.estate == estate) if estate else query
    return [_read(dict(row)) for row in connection.execute(query).mappings()]


def _read(row: dict[str, Any]) -> dict[str, Any]:
    read = {name: json.loads(row[name]) for name in ("flags", "mitigations", "acceptance") if row[name]}
    return row | read


def hosts_like(connection: sa.Connection, host: str, most: int = 2000) -> list[str]:
    """Hosts whose names begin alike, to look for the one that was meant."""
    query = sa.select(cases.c.host).where(cases.c.host.startswith(host[:2], autoescape=True)).distinct()
    return list(connection.scalars(query.order_by(cases.c.host).limit(most)))
