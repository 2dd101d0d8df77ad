"""`ledger check`: what this ledger is, and what whoever asks may do with it."""

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import book
from stopgap.ledger.postgresql import SCHEMA
from stopgap.ledger.roles import WRITER_MAY
from stopgap.ledger.store import reading, version_at
from stopgap.ledger.trouble import shown

CHANGES = ("UPDATE", "DELETE", "TRUNCATE")


@dataclass(frozen=True, slots=True)
class Health:
    """`role` is "" on SQLite, where a file's mode is all there is."""

    url: str
    server: str
    schema: str
    role: str
    reads: bool
    writes: bool
    append_only: bool  # whether the database keeps this role from changing or removing events
    differences: tuple[book.Key, ...]  # cases that are kept otherwise than their events say


def look(engine: sa.Engine) -> Health:
    """Of an opened ledger; changes nothing. Raises LedgerUnavailable."""
    with reading(engine) as connection:
        describe = _on_postgresql if engine.dialect.name == "postgresql" else _on_sqlite
        server, role, reads, writes, append_only = describe(connection)
        return Health(
            url=shown(engine.url),
            server=server,
            schema=str(version_at(connection)),
            role=role,
            reads=reads,
            writes=writes,
            append_only=append_only,
            differences=tuple(book.differences(connection)),
        )


def _on_sqlite(connection: sa.Connection) -> tuple[str, str, bool, bool, bool]:
    return f"SQLite {connection.scalar(sa.text('SELECT sqlite_version()'))}", "", True, True, False


def _on_postgresql(connection: sa.Connection) -> tuple[str, str, bool, bool, bool]:
    version, role = connection.execute(sa.text("SELECT current_setting('server_version'), current_user")).one()
    has = _rights(connection)
    return (
        f"PostgreSQL {version}",
        role,
        all(has[table, "SELECT"] for table in WRITER_MAY),
        all(has[table, right] for table, rights in WRITER_MAY.items() for right in re.findall("[A-Z]+", rights)),
        not any(has["events", change] for change in CHANGES) and not _owns_events(connection),
    )


def _rights(connection: sa.Connection) -> dict[tuple[str, str], bool]:
    asked = [(table, right) for table in WRITER_MAY for right in ("SELECT", "INSERT", *CHANGES)]
    query = sa.select(*(_has(right)(f"{SCHEMA}.{table}", right) for table, right in asked))
    return dict(zip(asked, connection.execute(query).one(), strict=True))


def _has(right: str) -> Any:
    """Some rights can be had to a few columns; to change one of an event is to change it."""
    of_columns = right in ("SELECT", "INSERT", "UPDATE")
    return sa.func.has_any_column_privilege if of_columns else sa.func.has_table_privilege


def _owns_events(connection: sa.Connection) -> bool:
    query = "SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass(:name)"
    return bool(connection.scalar(sa.text(query), {"name": f"{SCHEMA}.events"}))
