"""What risk reads of the ledger's cases: only the columns that decide, so that a hundred thousand take no time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa

from stopgap.ledger.as_of import expired_as_of, state_as_of
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
    closed_at: str | None
    accepted_until: str | None
    exposure: str
    criticality: str
    owner: str


KEY = (cases.c.estate, cases.c.host, cases.c.remedy)
REST = tuple(cases.c[name] for name in OpenCase.__slots__[5:])


def open_cases(
    connection: sa.Connection, now: datetime, *, estate: str = "", host: str = "", remedy: str = "", state: str = ""
) -> Iterator[OpenCase]:
    """An empty filter takes all; a closed state takes none."""
    held, expired = state_as_of(now), expired_as_of(now)
    wanted = {cases.c.estate: estate, cases.c.host: host, cases.c.remedy: remedy, held: state}
    query = sa.select(*KEY, held.label("state"), cases.c.flags, expired.label("expired"), *REST)
    query = query.where(
        cases.c.state.not_in(sorted(CLOSED)), *(name == value for name, value in wanted.items() if value)
    )
    for name_of_estate, name, vulnerability, current, flags, ran_out, *rest in connection.execute(query):
        told = _flags(flags)
        yield OpenCase(name_of_estate, name, vulnerability, current, (*told, "expired") if ran_out else told, *rest)


@lru_cache(maxsize=64)
def _flags(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def hosts_like(connection: sa.Connection, host: str, most: int = 2000) -> list[str]:
    """Hosts whose names begin alike, to look for the one that was meant."""
    query = sa.select(cases.c.host).where(cases.c.host.startswith(host[:2], autoescape=True)).distinct()
    return list(connection.scalars(query.order_by(cases.c.host).limit(most)))
