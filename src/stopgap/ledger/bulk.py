"""Many rows at once, each backend by its quick way: SQLite takes tuples, PostgreSQL one JSON text a statement.

SQLAlchemy's own way, a dict and a statement a row, costs more than the databases do: see docs/performance.md.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

Rows = Sequence[Mapping[str, Any]]  # with every column of the table

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def insert(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Rows that are not there yet."""
    _send(connection, table, rows, "")


def upsert(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Rows that take the place of those with the same primary key. No key may be among them twice."""
    _send(connection, table, rows, _instead(table))


def _send(connection: sa.Connection, table: sa.Table, rows: Rows, more: str) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_from_tuples(table) + more, [_values(table)(row) for row in rows])
    else:
        connection.exec_driver_sql(_from_json(table) + more, (_encode(rows),))


@cache
def _values(table: sa.Table) -> Any:
    return itemgetter(*(column.name for column in table.c))


@cache
def _columns(table: sa.Table) -> str:
    return ", ".join(column.name for column in table.c)  # ours: no name needs quotes


@cache
def _from_tuples(table: sa.Table) -> str:
    return f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({', '.join('?' for _ in table.c)})"  # noqa: S608 - names of our own tables


@cache
def _from_json(table: sa.Table) -> str:
    shape = ", ".join(f"{one.name} {'integer' if isinstance(one.type, sa.Integer) else 'text'}" for one in table.c)
    rows = f"json_to_recordset(%s::json) AS given({shape})"
    return f"INSERT INTO {table.name} ({_columns(table)}) SELECT {_columns(table)} FROM {rows}"  # noqa: S608 - likewise


@cache
def _instead(table: sa.Table) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    others = [column.name for column in table.c if not column.primary_key]
    return f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}"
