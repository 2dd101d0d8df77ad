"""What the ledger knows of proofs: the cases that rest on one, and when each was last asked for and last passed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from stopgap.ledger.events import spelled
from stopgap.ledger.ids import first_id
from stopgap.ledger.tables import events
from stopgap.recheck.schedule import Key, Standing
from stopgap.risk.cases import STANDS, flags_now

OF_EVENT = (events.c.estate, events.c.host, events.c.remedy)
CHUNK = 200  # keys in one question
# Assessments that no proof follows: they are the whole answer.
FINAL = ("unknown", "exposed", "not_affected")

STANDING = sa.text(f"""
    SELECT estate, host, remedy, {STANDS}, COALESCE(exposed_at, :now),
        answered_at, accepted_until, exposure, criticality, owner
    FROM cases
    WHERE held > 0 OR (state IN ('fixed', 'patched', 'unknown') AND installed_at IS NOT NULL)
""")  # noqa: S608 - our own words


def standing_cases(connection: sa.Connection, now: datetime) -> Iterator[Standing]:
    """Whatever has a mitigation in force, and whatever had its fix on disk when last heard of.

    An exposed case with nothing in force rests on no proof, nor has one that is not affected anything to prove.
    """
    rows = connection.execute(STANDING, {"now": spelled(now)})
    for estate, host, remedy, current, flags, ran_out, accepted, *rest in rows:
        yield Standing(estate, host, remedy, current, flags_now(flags, ran_out, accepted), *rest)


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
