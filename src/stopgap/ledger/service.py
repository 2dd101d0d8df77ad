"""What the outside asks of the ledger: each opens it, does one thing, and closes it. Raises LedgerError."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from stopgap.ledger import book, health, spool
from stopgap.ledger.case import Case
from stopgap.ledger.events import Event
from stopgap.ledger.store import exists, open_ledger, reading, writing


def ingest(folder: Path) -> Iterator[spool.Delivery]:
    """Deliver the spool. The database is opened only when there is something to deliver."""
    if not spool.waiting(folder):
        return
    engine = open_ledger()

    def record(events: Iterable[Event]) -> int:
        with writing(engine) as connection:
            return book.record(connection, events)

    yield from spool.deliver(folder, record)


def all_cases(*, estate: str = "", host: str = "", remedy: str = "", state: str = "") -> list[Case]:
    """Empty where there is no ledger yet."""
    if not exists():
        return []
    with reading(open_ledger()) as connection:
        return book.read_cases(connection, estate=estate, host=host, remedy=remedy, state=state)


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
