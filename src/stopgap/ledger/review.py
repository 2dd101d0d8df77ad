"""The ledger held against the catalogue: what is new is recorded, and what it reopens is told. No host is asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import book, say
from stopgap.ledger.events import Event
from stopgap.ledger.garbage import not_collected
from stopgap.ledger.store import exists, writing_ledger
from stopgap.ledger.tables import cases, events


@dataclass(frozen=True, slots=True)
class Changed:
    """A case whose state is another one since the new revision is known."""

    estate: str
    host: str
    remedy: str
    revision: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Behind:
    """The ledger has heard of a higher revision than this catalogue has."""

    remedy: str
    revision: int
    known: int


@dataclass(frozen=True, slots=True)
class Review:
    new: tuple[tuple[str, int], ...]  # (remedy, revision) recorded now
    changed: tuple[Changed, ...]  # by remedy, then host
    behind: tuple[Behind, ...]


class _NotKept(Exception):
    """Rolls back what a dry run did, with its outcome."""

    def __init__(self, outcome: Review) -> None:
        self.outcome = outcome


def review(knowledge: Sequence[Mapping[str, Any]], now: datetime, *, dry_run: bool = False) -> Review:
    """`knowledge` is what `stopgap.remedy.knowledge` makes of the catalogue's remedies. Raises LedgerError.

    A dry run does the same, and takes it back: what it tells is what would be.
    """
    if not exists():
        return Review((), (), ())
    try:
        with writing_ledger() as connection, not_collected():
            outcome = _review(connection, knowledge, now)
            if dry_run:
                raise _NotKept(outcome)
    except _NotKept as dry:
        return dry.outcome
    return outcome


def _review(connection: sa.Connection, knowledge: Sequence[Mapping[str, Any]], now: datetime) -> Review:
    run, who = say.new_run(now), say.speaker()
    told = [_event(one, run, who, now) for one in knowledge]
    known, ids = _known(connection, [event.remedy for event in told])
    fresh = [event for event in told if event.id not in ids]
    book.record(connection, fresh)
    raised = [event for event in fresh if event.revision > known.get(event.remedy, 0)]
    behind = [
        Behind(event.remedy, event.revision, known[event.remedy])
        for event in told
        if event.revision < known.get(event.remedy, 0)
    ]
    new = tuple((one.remedy, one.revision) for one in fresh)
    return Review(new, tuple(_changed(connection, raised)), tuple(behind))


def _event(one: Mapping[str, Any], run: str, who: str, now: datetime) -> Event:
    return say.make_event(
        "remedy",
        "known",
        now=now,
        who=who,
        run=run,
        remedy=one["remedy"],
        revision=one["revision"],
        evidence=one["evidence"],
        id_=one["id"],
    )


def _known(connection: sa.Connection, remedies: Iterable[str]) -> tuple[dict[str, int], set[str]]:
    """The highest revision of each that the ledger has heard of, and the ids of all it has heard of them."""
    wanted, highest, ids = set(remedies), dict[str, int](), set[str]()
    nobody = (events.c.estate == "", events.c.host == "", events.c.kind == "remedy")
    query = sa.select(events.c.id, events.c.remedy, events.c.revision).where(*nobody)
    for id_, remedy, revision in connection.execute(query):
        if remedy in wanted:
            ids.add(id_)
            highest[remedy] = max(highest.get(remedy, 0), revision)
    return highest, ids


def _changed(connection: sa.Connection, raised: Sequence[Event]) -> Iterator[Changed]:
    """Their present state began with the event: nothing else counts from that very moment."""
    reasons: dict[str, str] = {}  # a few, shared by many
    for event in sorted(raised, key=lambda one: one.remedy):
        told = sa.select(events.c.at, events.c.recorded_at).where(events.c.id == event.id)
        since = min(connection.execute(told).one())
        columns = (cases.c.estate, cases.c.host, cases.c.state, cases.c.reason)
        query = sa.select(*columns).where(cases.c.remedy == event.remedy, cases.c.since == since)
        for estate, host, state, reason in connection.execute(query.order_by(cases.c.estate, cases.c.host)):
            yield Changed(estate, host, event.remedy, event.revision, state, reasons.setdefault(reason, reason))
