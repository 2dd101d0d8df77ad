"""What is owed, the oldest first, however much it is, in memory that does not grow with it: SQLite does the sorting.

A temporary database of SQLite's own: in 2 MB of memory, and beyond that in a file without a name, which is gone when
the process is. It lies where SQLITE_TMPDIR or TMPDIR say, else in /var/tmp or /tmp.
"""
# ruff: noqa: S608 - queries are put together from our own words

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import msgspec

from stopgap.ledger import debts
from stopgap.ledger.case import CLOSED, Case
from stopgap.ledger.counts import OwedCounts
from stopgap.ledger.debts import Owed
from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.events import spelled

PAGE = 1000  # rows in memory together

TABLE = "CREATE TABLE owed (orphan, overdue, since, host, remedy, entry, estate, told)"
PUT = "INSERT INTO owed VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
OLDEST = "since, host, remedy, entry, estate, rowid"  # text by its bytes, which is how Python orders it

DEBT, ORPHANS, ALL, OVERDUE = "NOT orphan", "orphan", "true", "overdue"

_text_of = msgspec.json.Encoder().encode
_owed_in = msgspec.json.Decoder(Owed).decode


@dataclass(frozen=True, slots=True)
class Rows:
    """The oldest first, debt before orphans. Read anew each time they are gone through, so none is held."""

    kept: sqlite3.Connection
    where: str
    most: int  # 0: all

    def __iter__(self) -> Iterator[Owed]:
        with _sorting():
            for (told,) in self.kept.execute(self._select("told")):
                yield _owed_in(told)

    def __len__(self) -> int:
        return self._count("*")

    def estates(self) -> int:
        return self._count("DISTINCT estate")

    def _count(self, what: str) -> int:
        with _sorting():
            (count,) = self.kept.execute(f"SELECT COUNT({what}) FROM ({self._select('estate')})").fetchone()
        return int(count)

    def _select(self, column: str) -> str:
        limit = f" LIMIT {self.most}" if self.most else ""
        return f"SELECT {column} FROM owed WHERE {self.where} ORDER BY orphan, {OLDEST}{limit}"


class Books:
    """Debt and orphans at one moment. To be closed."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.counts = OwedCounts()
        with _sorting():
            self._kept = sqlite3.connect("")
            self._kept.execute("PRAGMA journal_mode = OFF")  # nothing is ever taken back
            self._kept.execute(TABLE)

    def close(self) -> None:
        self._kept.close()

    def add(self, cases: Iterable[Case]) -> None:
        """Cases as they are now (case.as_of)."""
        rows = (_row(owed) for one in self._counted(cases) for owed in debts.owed(one, self.now))
        while page := list(islice(rows, PAGE)):
            with _sorting():
                self._kept.executemany(PUT, page)

    def rows(self, where: str, most: int = 0) -> Rows:
        return Rows(self._kept, where, most)

    def _counted(self, cases: Iterable[Case]) -> Iterator[Case]:
        moment = spelled(self.now)
        for one in cases:
            self.counts.add(one.state, [each.expires_at for each in one.mitigations], moment)
            yield one


def _row(owed: Owed) -> tuple[bool | str | bytes, ...]:
    key = (owed.since or "", owed.host, owed.remedy, owed.entry, owed.estate)
    return owed.state in CLOSED, owed.overdue, *key, _text_of(owed)


@contextmanager
def _sorting() -> Iterator[None]:
    """Not the ledger's trouble: the temporary file's."""
    try:
        yield
    except sqlite3.Error as error:
        said = f"what is owed could not be sorted in a temporary file: {error}"
        raise LedgerUnavailable(f"{said}; SQLITE_TMPDIR=FOLDER names another place for it") from error
