"""What the outside asks of the ledger: each opens it, does one thing, and closes it. Raises LedgerError."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stopgap.ledger import book, health, spool
from stopgap.ledger import reading as questions
from stopgap.ledger.case import Case
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import Event
from stopgap.ledger.reading import ALL, Filter
from stopgap.ledger.store import exists, open_ledger, reading, writing


@dataclass(frozen=True, slots=True)
class Overview:
    """`cases` may be only the worst of those that were counted."""

    cases: list[Case]
    tally: Tally
    owed: OwedCounts


def ingest(folder: Path) -> Iterator[spool.Delivery]:
    """Deliver the spool. The database is opened only when there is something to deliver."""
    if not spool.waiting(folder):
        return
    engine = open_ledger()
    said: list[str] = []

    def record(events: Iterable[Event]) -> int:
        said.clear()
        with writing(engine) as connection:
            return book.record(connection, events, said.append)

    for delivery in spool.deliver(folder, record):
        yield replace(delivery, warnings=tuple(said))


def all_cases(*, estate: str = "", host: str = "", remedy: str = "", state: str = "") -> list[Case]:
    """As they are now. Empty where there is no ledger yet."""
    if not exists():
        return []
    now = datetime.now(UTC)
    with reading(open_ledger()) as connection:
        return book.read_cases(connection, estate=estate, host=host, remedy=remedy, state=state, now=now)


def every_case(wanted: Filter = ALL) -> Iterator[Case]:
    """As they are now, by estate, host and remedy; read as they are asked for, so any number of them."""
    if not exists():
        return
    with reading(open_ledger()) as connection:
        yield from questions.every(connection, datetime.now(UTC), wanted)


def overview(wanted: Filter, most: int) -> Overview:
    """The worst cases, at most so many (0: all), and how many there are in all."""
    if not exists():
        return Overview([], Tally(), OwedCounts())
    now = datetime.now(UTC)
    with reading(open_ledger()) as connection:
        counted = questions.tally(connection, now, wanted)
        owed = questions.owed_counts(connection, now, wanted)
        return Overview(questions.worst(connection, now, most, wanted), counted, owed)


def owing_cases(wanted: Filter) -> list[Case] | None:
    """Those with something in force, as they are now; None where there is no case at all."""
    if not exists():
        return None
    now = datetime.now(UTC)
    with reading(open_ledger()) as connection:
        found = questions.owing(connection, now, wanted)
        return None if not found and questions.is_empty(connection, now, wanted) else found


def rebuild() -> int:
    with writing(open_ledger()) as connection:
        return book.rebuild(connection)


def check() -> list[book.Key]:
    """Cases that are kept otherwise than their events say."""
    found = look()
    return list(found.differences) if found else []


def look() -> health.Health | None:
    """None where there is no ledger yet."""
    return health.look(open_ledger()) if exists() else None
