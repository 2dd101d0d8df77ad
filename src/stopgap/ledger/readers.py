"""What commands that only read ask of the ledger: each opens it, asks, and closes it. Raises LedgerError.

Apart from `service`, so that a `stopgap status` does not import all it takes to write.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from stopgap.ledger import reading as questions
from stopgap.ledger.asking import asking
from stopgap.ledger.case import Case
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.delivered import Delivered, delivered
from stopgap.ledger.notices import Notice, read_notices
from stopgap.ledger.owed_books import Books
from stopgap.ledger.reading import ALL, Filter


@dataclass(frozen=True, slots=True)
class Overview:
    """`cases` may be only the worst of those that were counted."""

    cases: list[Case]
    tally: Tally
    owed: OwedCounts


def every_case(wanted: Filter = ALL) -> Iterator[Case]:
    """As they are now, by estate, host and remedy; read as they are asked for, so any number of them."""
    with asking() as ledger:
        if ledger:
            yield from questions.every(ledger, datetime.now(UTC), wanted)


def overview(wanted: Filter, most: int) -> Overview:
    """The worst cases, at most so many (0: all), and how many there are in all."""
    now = datetime.now(UTC)
    with asking() as ledger:
        if not ledger:
            return Overview([], Tally(), OwedCounts())
        counted = questions.tally(ledger, now, wanted)
        owed = questions.owed_counts(ledger, now, wanted)
        return Overview(questions.worst(ledger, now, most, wanted), counted, owed)


def any_case(wanted: Filter = ALL) -> bool:
    with asking() as ledger:
        return ledger is not None and not questions.is_empty(ledger, datetime.now(UTC), wanted)


@contextmanager
def owed_books(wanted: Filter) -> Iterator[tuple[Books, bool]]:
    """What is owed now, and whether there is any case at all. Nobody is kept from the ledger while they are open."""
    now, any_case = datetime.now(UTC), False
    with closing(Books(now)) as books:
        with asking() as ledger:
            if ledger:
                books.add(questions.owing(ledger, now, wanted))
                any_case = books.counts != OwedCounts() or not questions.is_empty(ledger, now, wanted)
        yield books, any_case


def current_notices(*, estate: str = "", host: str = "") -> list[Notice]:
    """Of hosts that were rebuilt, renamed or cloned."""
    with asking() as ledger:
        return read_notices(ledger, datetime.now(UTC), estate=estate, host=host) if ledger else []


def brought_by(run: str) -> list[Delivered]:
    """What one run brought, host by host."""
    with asking() as ledger:
        return delivered(ledger, run) if ledger else []
