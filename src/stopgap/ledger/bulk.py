"""Many rows and many values at once, each backend by its quick way: SQLite takes tuples, PostgreSQL a COPY.

SQLAlchemy's own way, a dict and a statement a row, costs more than the databases do: see docs/performance.md.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from stopgap.ledger.hosts import Host, by_estate

NARROW = 8  # columns; rows of so few are sooner told as JSON than copied into a table made for them
Row = tuple[Any, ...]  # a value for every column, in the table's order


def rows_of(table: sa.Table, told: Iterable[Mapping[str, Any]]) -> list[Row]:
    return list(map(_values(table), told))


def of_hosts(
    connection: sa.Connection, query: sa.Select[Any], table: sa.Table, hosts: Iterable[Host], **bound: Any
) -> Iterator[tuple[str, Any]]:
    """(estate, row) of what the query, a constant, finds in the table of these hosts."""
    of_estate = _of_estate(query, table)
    for estate, names in by_estate(hosts):
        for row in each_of(connection, of_estate, table.c.host, names, estate=estate, **bound):
            yield estate, row


def each_of(
    connection: sa.Connection, query: sa.Select[Any], column: sa.Column[str], values: Collection[str], **bound: Any
) -> Sequence[sa.Row[Any]]:
    """What the query, a constant, finds for each of these values of the column; they are distinct.

    However many there are, they are one bound value: JSON, which the databases take apart.
    """
    given = msgspec.json.encode(list(values)).decode()
    return connection.execute(_each_of(connection.dialect.name, query, column), {"given": given, **bound}).all()


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Rows that are not there yet."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert_values(table), list(rows))
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
        connection.exec_driver_sql(_insert_values(table) + instead, list(rows))
    elif len(table.c) <= NARROW:
        told = msgspec.json.encode([dict(zip(table.c.keys(), row, strict=True)) for row in rows]).decode()
        given = f"json_populate_recordset(NULL::{table.name}, %s::json)"
        connection.exec_driver_sql(_insert_from(table, given) + instead, (told,))
    else:
        given = f"pg_temp.given_{table.name}"  # of this session, and empty again when the transaction ends
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS given_{table.name} (LIKE {table.name}) ON COMMIT DELETE ROWS"
        )
        _copy(connection, table, given, rows)
        connection.exec_driver_sql(_insert_from(table, given) + instead)
        connection.exec_driver_sql(f"TRUNCATE {given}")


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
def _of_estate(query: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    return query.where(table.c.estate == sa.bindparam("estate"))


@cache
def _each_of(dialect: str, query: sa.Select[Any], column: sa.Column[str]) -> sa.Select[Any]:
    """PostgreSQL is made to look each up in the index: of a table without statistics, as one is that was just filled,
    it may think that another column tells enough, and compare all rows with all values.
    """
    given = sa.bindparam("given", type_=sa.Text)
    if dialect == "sqlite":
        return query.where(column.in_(sa.select(sa.func.json_each(given).table_valued("value").c.value)))
    told = sa.func.json_array_elements_text(sa.cast(given, sa.JSON))
    one = told.table_valued(sa.column("value", sa.Text), name="given")
    found = query.where(column == one.c.value).offset(0).lateral("found")  # an offset keeps it a question of its own
    return sa.select(found).select_from(one.join(found, sa.true()))


@cache
def _values(table: sa.Table) -> Any:
    return itemgetter(*(column.name for column in table.c))


@cache
def _columns(table: sa.Table) -> str:
    return ", ".join(column.name for column in table.c)  # ours: no name needs quotes


@cache
def _insert_values(table: sa.Table) -> str:
    return f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({', '.join('?' for _ in table.c)})"  # noqa: S608 - names of our own tables


def _insert_from(table: sa.Table, given: str) -> str:
    return f"INSERT INTO {table.name} ({_columns(table)}) SELECT {_columns(table)} FROM {given}"  # noqa: S608 - names of our own tables


@cache
def _replaced(table: sa.Table) -> str:
    return ", ".join(f"{one.name} = excluded.{one.name}" for one in table.c if not one.primary_key)


@cache
def _conflict(table: sa.Table, instead: str) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    return f" ON CONFLICT ({key}) DO UPDATE SET {instead}"
