"""Answers by an older revision of a remedy than the ledger knows: they close nothing, and who ran the play is told."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from stopgap.ledger.events import Event
from stopgap.ledger.keeping import chunks
from stopgap.ledger.tables import events

BY_REVISION = frozenset({"assessed", "patch", "verified"})


def outdated(connection: sa.Connection, fresh: Iterable[Event]) -> Iterator[str]:
    """A sentence for each remedy."""
    told = {(event.remedy, event.revision) for event in fresh if event.kind in BY_REVISION and event.revision}
    used = dict(sorted(told))  # the highest of each
    for remedy, known in sorted(_known(connection, sorted(used))):
        if known > used[remedy]:
            yield (
                f"{remedy}: this play went by revision {used[remedy]}, the ledger knows revision {known}: "
                "what is proven by the older one closes no case; bring the catalogue up to date and run it again"
            )


def _known(connection: sa.Connection, remedies: list[str]) -> Iterator[tuple[str, int]]:
    nobody = (events.c.estate == "", events.c.host == "", events.c.kind == "remedy")
    query = sa.select(events.c.remedy, sa.func.max(events.c.revision)).where(*nobody).group_by(events.c.remedy)
    for part in chunks(remedies):
        found = connection.execute(query.where(events.c.remedy.in_(part)))
        yield from ((remedy, revision) for remedy, revision in found)
