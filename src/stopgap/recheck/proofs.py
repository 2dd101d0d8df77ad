"""What the ledger knows of proofs: the cases that rest on one, and when each was last asked for and last passed."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from stopgap.ledger.as_of import expired_as_of, state_as_of
from stopgap.ledger.events import spelled
from stopgap.ledger.ids import first_id
from stopgap.ledger.tables import cases, events
from stopgap.recheck.schedule import Key, Standing

KEY = (cases.c.estate, cases.c.host, cases.c.remedy)
OF_EVENT = (events.c.estate, events.c.host, events.c.remedy)
CHUNK = 200  # keys in one question
# Assessments that no proof follows: they are the whole answer.
FINAL = ("unknown", "exposed")


def standing_cases(connection: sa.Connection, now: datetime) -> Iterator[Standing]:
    """Whatever has a mitigation in force, and whatever had its fix on disk when last heard of.

    An exposed case with nothing in force rests on no proof, nor has one that is not affected anything to prove.
    """
    state, moment = state_as_of(now), spelled(now)
    fix_on_disk = sa.and_(cases.c.state.in_(("fixed", "patched", "unknown")), cases.c.installed_at.is_not(None))
    query = sa.select(
        *KEY,
        state.label("state"),
        cases.c.flags,
        expired_as_of(now).label("expired"),
        sa.func.coalesce(cases.c.exposed_at, moment),
        *(cases.c[name] for name in ("answered_at", "accepted_until", "exposure", "criticality", "owner")),
    ).where(sa.or_(cases.c.held > 0, fix_on_disk))
    for estate, host, remedy, current, flags, ran_out, *rest in connection.execute(query):
        told = tuple(json.loads(flags))
        yield Standing(estate, host, remedy, current, (*told, "expired") if ran_out else told, *rest)


def last_asked(connection: sa.Connection, now: datetime, longest: timedelta) -> dict[Key, datetime]:
    """When each case was last asked for its proof, within that time, whatever came of it.

    Ids begin with their time, and lead there: no more is read than was said since. What a clock that is ahead said of
    times to come says nothing of now.
    """
    asked = sa.or_(events.c.kind == "verified", sa.and_(events.c.kind == "assessed", events.c.verdict.in_(FINAL)))
    query = sa.select(*OF_EVENT, sa.func.max(events.c.at)).where(
        events.c.id >= first_id(now - longest), events.c.at <= spelled(now), asked
    )
    found = connection.execute(query.group_by(*OF_EVENT))
    return {(estate, host, remedy): datetime.fromisoformat(at) for estate, host, remedy, at in found}


def last_passed(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, str]:
    """When the proof of each last passed, however long ago; not in it: never."""
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), CHUNK):
        query = sa.select(*OF_EVENT, sa.func.max(events.c.at)).where(
            sa.tuple_(*OF_EVENT).in_(wanted[start : start + CHUNK]),
            events.c.kind == "verified",
            events.c.verdict == "pass",
        )
        for *key, at in connection.execute(query.group_by(*OF_EVENT)):
            found[key[0], key[1], key[2]] = at
    return found
