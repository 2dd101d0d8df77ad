"""What commands that only read ask of the ledger: each opens it, asks, and closes it. Raises LedgerError.

Apart from `service`, so that a `stopgap status` does not import all it takes to write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from stopgap.ledger import reading as questions
from stopgap.ledger.case import Case
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.reading import ALL, Filter
from stopgap.ledger.store import exists, open_ledger, reading


@dataclass(frozen=True, slots=True)
class Overview:
    """`cases` may be only the worst of those that were counted."""

    cases: list[Case]
    tally: Tally
    owed: OwedCounts


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
