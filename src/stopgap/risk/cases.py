"""What risk reads of the ledger's cases: only the columns that decide, so that a hundred thousand take no time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa

from stopgap.ledger import as_of
from stopgap.ledger.case import CLOSED
from stopgap.ledger.reading import KEY, Filter
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


REST = ", ".join(OpenCase.__slots__[5:])
STANDS = f"{as_of.STATE}, flags, {as_of.EXPIRED}, {as_of.ACCEPTED}"  # at the moment :now
OPEN = " AND ".join(f"state <> '{state}'" for state in sorted(CLOSED))


def open_cases(
    connection: sa.Connection, now: datetime, *, estate: str = "", host: str = "", remedy: str = "", state: str = ""
) -> Iterator[OpenCase]:
    """An empty filter takes all; a closed state takes none."""
    wanted = Filter(estate, host, remedy, state)
    query = f"SELECT {KEY}, {STANDS}, {REST} FROM cases {wanted.where(OPEN)}"  # noqa: S608
    rows = connection.execute(sa.text(query), wanted.values(now))
    for name_of_estate, name, vulnerability, current, flags, ran_out, accepted, *rest in rows:
        yield OpenCase(name_of_estate, name, vulnerability, current, flags_now(flags, ran_out, accepted), *rest)


@lru_cache(maxsize=64)
def flags_now(kept: str, ran_out: bool, accepted: bool) -> tuple[str, ...]:
    """As case.as_of has them."""
    return (*json.loads(kept), *["expired"] * bool(ran_out), *["accepted"] * bool(accepted))


def hosts_like(connection: sa.Connection, host: str, most: int = 2000) -> list[str]:
    """Hosts whose names begin alike, to look for the one that was meant."""
    query = sa.select(cases.c.host).where(cases.c.host.startswith(host[:2], autoescape=True)).distinct()
    return list(connection.scalars(query.order_by(cases.c.host).limit(most)))
