"""What the outside asks of the ledger: each opens it, does one thing, and closes it. Raises LedgerError."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stopgap.ledger import book, health, spool
from stopgap.ledger.case import Case
from stopgap.ledger.store import exists, open_ledger, reading, writing_ledger


def ingest(folder: Path) -> Iterator[spool.Delivery]:
    """Deliver the spool. The database is opened only when there is something to deliver."""
    if not spool.waiting(folder):
        return
    said: list[str] = []

    def record(lines: spool.Lines) -> int:
        said.clear()
        with writing_ledger() as connection:  # each file anew: the ledger may be another one by then
            return book.record_news(connection, lines.news, said.append)

    for delivery in spool.deliver(folder, record):
        yield replace(delivery, warnings=tuple(said))
        said.clear()


def all_cases(*, estate: str = "", host: str = "", remedy: str = "", state: str = "") -> list[Case]:
    """As they are now. Empty where there is no ledger yet."""
    if not exists():
        return []
    now = datetime.now(UTC)
    with reading(open_ledger()) as connection:
        return book.read_cases(connection, estate=estate, host=host, remedy=remedy, state=state, now=now)


def rebuild() -> int:
    with writing_ledger() as connection:
        return book.rebuild(connection)


def check() -> list[book.Key]:
    """Cases that are kept otherwise than their events say."""
    found = look()
    return list(found.differences) if found else []


def look() -> health.Health | None:
    """None where there is no ledger yet."""
    return health.look(open_ledger()) if exists() else None
