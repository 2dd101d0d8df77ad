"""Clocks that were ahead: noticed when the ledger writes, said as an event, so that what they said counts in its place.

Two ways to notice: events heard later than the database says it is, and a pen last taken later than it is (an SQLite
ledger has no clock but its machine's). A clock that is set back looks the same as one that was ahead: what was heard
before it keeps its order, and counts as of then.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from stopgap.ledger.events import Event, spelled
from stopgap.ledger.ids import new_id
from stopgap.ledger.tables import events

SLACK = 60  # seconds; less than this is what clocks are off by anyway


def heard_ahead(fresh: Iterable[Event], now: str, known: Iterable[str]) -> list[Event]:
    """A `clock` event for each run of these that speaks from the future and is not known to."""
    latest: dict[str, str] = {}
    for event in fresh:
        if event.heard_at > now and _seconds(now, event.heard_at) > SLACK:
            latest[event.run] = max(event.heard_at, latest.get(event.run, ""))
    return [_ahead(run, now, now, latest[run]) for run in sorted(latest.keys() - set(known))]


def recorded_ahead(
    connection: sa.Connection, taken_at: str, now: str, fresh: Iterable[Event], known: Iterable[str]
) -> list[Event]:
    """The same for what this ledger wrote down while its own clock was ahead, at the first events after that.

    It was heard before these, and after what was written down when the clock was still right.
    """
    if taken_at <= now or _seconds(now, taken_at) <= SLACK:
        return []
    until = _before(min((now, *(event.heard_at for event in fresh))))
    right = connection.scalar(sa.select(sa.func.max(events.c.recorded_at)).where(events.c.recorded_at <= now))
    until = max(until, right or "")
    query = sa.select(events.c.run, sa.func.max(events.c.recorded_at)).where(events.c.recorded_at > now)
    found = connection.execute(query.where(events.c.kind != "clock").group_by(events.c.run).order_by(events.c.run))
    known = set(known)
    return [_ahead(run, now, until, latest) for run, latest in found if run not in known]


def sentence(event: Event) -> str:
    told = event.evidence
    return f"the clock of run {told['run']} was {told['seconds']} s ahead: what it said counts as of {told['until']}"


def _ahead(run: str, now: str, until: str, latest: str) -> Event:
    seconds = _seconds(now, latest)
    return Event(
        id=new_id(now),
        at=now,
        estate="",
        host="",
        remedy="",
        revision=0,
        kind="clock",
        verdict="ahead",
        reason=f"{seconds} s ahead",
        evidence={"run": run, "until": until, "seconds": seconds},
        actor="ledger",
        run=run,
        origin="laptop",
    )


def _before(moment: str) -> str:
    return spelled(datetime.fromisoformat(moment) - timedelta(microseconds=1))


def _seconds(earlier: str, later: str) -> int:
    return int((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())
