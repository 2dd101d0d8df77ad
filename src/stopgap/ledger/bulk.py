"""Many rows and many values at once, each backend by its quick way: SQLite takes tuples, PostgreSQL a COPY.

SQLAlchemy's own way, a dict and a statement a row, costs more than the databases do: see docs/performance.md.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

Row = tuple[Any, ...]  # a value for every column, in the table's order


def rows_of(table: sa.Table, told: Iterable[Mapping[str, Any]]) -> list[Row]:
    return list(map(_values(table), told))


def one_of(connection: sa.Connection, column: sa.Column[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """`column IN (values)`, with one bound value however many there are."""
    if connection.dialect.name == "sqlite":
        given = sa.func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
        return column.in_(sa.select(given.c.value))
    return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Text)))


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Rows that are not there yet."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert(table), list(rows))
    else:
        _copy(connection, table, table.name, rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], instead: str = "") -> None:
    """Rows that take the place of those with the same primary key. No key may be among them twice.

    `instead`: what becomes of a row that is there, as an SQL SET list over `excluded`; else all of it is replaced.
    """
    if not rows:
        return
    instead = _conflict(table, instead or _replaced(table))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert(table) + instead, list(rows))
        return
    given = f"given_{table.name}"  # of this session, and empty again when the transaction ends
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {given} (LIKE {table.name}) ON COMMIT DELETE ROWS"
    )
    _copy(connection, table, f"pg_temp.{given}", rows)
    chosen = f"SELECT {_columns(table)} FROM pg_temp.{given}"  # noqa: S608 - names of our own tables
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({_columns(table)}) {chosen}{instead}")
    connection.exec_driver_sql(f"TRUNCATE pg_temp.{given}")


def _copy(connection: sa.Connection, table: sa.Table, into: str, rows: Iterable[Row]) -> None:
    import psycopg

    statement = f"COPY {into} ({_columns(table)}) FROM STDIN"
    cursor: Any = connection.connection.cursor()  # psycopg's: SQLAlchemy has no COPY
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:  # as SQLAlchemy tells it of its own statements
        raise sa.exc.DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error


@cache
def _values(table: sa.Table) -> Any:
    return itemgetter(*(column.name for column in table.c))


@cache
def _columns(table: sa.Table) -> str:
    return ", ".join(column.name for column in table.c)  # ours: no name needs quotes


@cache
def _insert(table: sa.Table) -> str:
    return f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({', '.join('?' for _ in table.c)})"  # noqa: S608 - names of our own tables


@cache
def _replaced(table: sa.Table) -> str:
    return ", ".join(f"{one.name} = excluded.{one.name}" for one in table.c if not one.primary_key)


@cache
def _conflict(table: sa.Table, instead: str) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    return f" ON CONFLICT ({key}) DO UPDATE SET {instead}"
