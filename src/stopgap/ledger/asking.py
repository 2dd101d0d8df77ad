"""How commands that only read reach the ledger. Raises LedgerError.

The file of a laptop is asked through sqlite3 alone: SQLAlchemy takes longer to import than any answer takes. Whatever
is out of the ordinary (another backend, an older or a broken file) goes the way of `store`, which knows what to do or
to say. So questions are SQL text that means the same on all, with values by name: `:name`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.migrations import HEAD
from stopgap.ledger.paths import ledger_file

if TYPE_CHECKING:
    import sqlalchemy as sa

PATIENCE = 30  # seconds


class Asked(Protocol):
    """A ledger, or as much of it as answers: sqlite3's connections do by themselves."""

    def execute(self, sql: str, values: Mapping[str, Any] = ..., /) -> Iterable[Any]: ...

    def commit(self) -> None:
        """Ends the view; the next question begins another."""


class ThroughSqlalchemy:
    def __init__(self, connection: "sa.Connection") -> None:
        self._connection = connection

    def execute(self, sql: str, values: Mapping[str, Any] | None = None, /) -> Iterable[Any]:
        import sqlalchemy as sa

        return self._connection.execute(sa.text(sql), dict(values or {}))

    def stream(self, sql: str, values: Mapping[str, Any], page: int) -> Iterable[Any]:
        import sqlalchemy as sa

        return self._connection.execute(sa.text(sql), dict(values), execution_options={"yield_per": page})

    def commit(self) -> None:
        self._connection.commit()


def streamed(ledger: Asked, sql: str, values: Mapping[str, Any], page: int) -> Iterable[Any]:
    """The rows as they are read, a page in memory at a time. sqlite3 never does otherwise; of PostgreSQL it takes a
    cursor on the server, else its driver has the whole answer before the first row is seen.
    """
    return ledger.stream(sql, values, page) if isinstance(ledger, ThroughSqlalchemy) else ledger.execute(sql, values)


@contextmanager
def asking() -> Iterator[Asked | None]:
    """One view of the ledger for all that is asked; None where there is none yet: reading makes none."""
    path = ledger_file()
    if path and _is_missing(path):
        yield None
    elif path and (connection := _open(path)):
        with closing(connection):
            try:
                yield connection
            except sqlite3.Error as error:
                raise _told(error) from error
    else:
        with _through_store() as found:
            yield found


def _is_missing(path: Path) -> bool:
    """Not so in a folder that one may not look into: `store` says that."""
    try:
        return not path.exists()
    except OSError:
        return False


def _open(path: Path) -> sqlite3.Connection | None:
    """None unless it is a ledger of the schema this code knows."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=PATIENCE, uri=True)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")  # sqlite3 by itself gives every SELECT a view of its own
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return None
    if found != [(HEAD,)]:
        connection.close()
        return None
    return connection


@contextmanager
def _through_store() -> Iterator[Asked | None]:
    from stopgap.ledger.store import exists, open_ledger, reading

    if not exists():
        yield None
        return
    with reading(open_ledger()) as connection:
        yield ThroughSqlalchemy(connection)


def _told(error: sqlite3.Error) -> LedgerUnavailable:
    from stopgap.ledger.store import ledger_url
    from stopgap.ledger.trouble import sentence

    return LedgerUnavailable(sentence(ledger_url(), error))
