"""`case.as_of` for the database: the state of kept cases at a moment, to count and to filter by."""

from datetime import datetime

import sqlalchemy as sa

from stopgap.ledger.events import spelled
from stopgap.ledger.tables import cases


def state_as_of(now: datetime) -> sa.ColumnElement[str]:
    return sa.case((expired_as_of(now), "exposed"), else_=cases.c.state)


def expired_as_of(now: datetime) -> sa.ColumnElement[bool]:
    """Mitigated, and the last protection has run out."""
    return sa.and_(cases.c.state == "mitigated", cases.c.protected_until <= spelled(now))


def accepted_as_of(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(cases.c.accepted_until > spelled(now), cases.c.state.not_in(("fixed", "not_affected")))
