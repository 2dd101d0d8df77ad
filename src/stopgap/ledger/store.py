"""Where the ledger is, and opening it: an engine whose schema is the one this code knows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import sqlalchemy as sa

from stopgap.ledger import postgresql, sqlite
from stopgap.ledger.errors import LedgerError, LedgerUnavailable, NoLedger
from stopgap.ledger.migrations import HEAD
from stopgap.ledger.paths import state_dir
from stopgap.ledger.trouble import sentence, shown


def ledger_url() -> sa.URL:
    """STOPGAP_LEDGER_URL, else the file in the state folder. `postgres://` means what `postgresql://` does."""
    given = os.environ.get("STOPGAP_LEDGER_URL")
    if not given:
        return sa.URL.create("sqlite", database=str(state_dir() / "ledger.sqlite"))
    try:
        url = sa.make_url(given if given.isprintable() else "")
        if url.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
            raise ValueError
    except (sa.exc.ArgumentError, ValueError):
        raise LedgerUnavailable(
            "STOPGAP_LEDGER_URL is not a database URL such as sqlite:////path/to/file or postgresql://USER@HOST/NAME"
        ) from None  # the cause would show what is in it
    if postgresql.is_postgresql(url):
        return postgresql.normal(url)
    if sqlite.path_of(url) is None:  # delivered into memory, a spool would be gone with the process
        raise LedgerUnavailable("STOPGAP_LEDGER_URL names no file to keep a ledger in: sqlite:////path/to/file")
    return url


def exists(url: sa.URL | None = None) -> bool:
    """False only for an SQLite file that is not there yet: reading must not create one."""
    url = url or ledger_url()
    with translated(url):
        path = sqlite.path_of(url)
        return path is None or path.exists()


def open_ledger(url: sa.URL | None = None) -> sa.Engine:
    """The ledger. SQLite's is created or upgraded when it has to be, PostgreSQL's only by its owner.

    Raises LedgerUnavailable (NoLedger among them) or LedgerTooNew.
    """
    url = url or ledger_url()
    with translated(url):
        engine = engine_of(url)
        found = version(engine)
    if found != HEAD:
        _make_ready(engine, found)
    return engine


@contextmanager
def writing_ledger() -> Iterator[sa.Connection]:
    """`open_ledger` and one transaction, over one connection."""
    url = ledger_url()
    with _connection(url) as connection, translated(url), connection.begin():
        yield connection


def _connection(url: sa.URL) -> sa.Connection:
    with translated(url):
        connection = engine_of(url).connect()
        if _is_ready(connection):
            return connection
        connection.close()
        return open_ledger(url).connect()


def engine_of(url: sa.URL) -> sa.Engine:
    """Whatever its schema is. The same for the same address: what SQLAlchemy knows of a database is worth keeping."""
    path = None if postgresql.is_postgresql(url) else sqlite.path_of(url)
    if path:
        sqlite.make_file(path)
        url = url.set(database=str(path.absolute()))
    return _engine_of(url)


@lru_cache(maxsize=16)
def _engine_of(url: sa.URL) -> sa.Engine:
    if postgresql.is_postgresql(url):
        return postgresql.engine(url)
    try:
        return sqlite.engine(url) if sqlite.path_of(url) else sa.create_engine(url)
    except ValueError as error:  # of an option in the URL, such as ?timeout=abc
        raise LedgerUnavailable(sentence(url, error)) from error


def version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return HEAD if _is_ready(connection) else version_at(connection)


def version_at(connection: sa.Connection) -> str | None:
    """The schema's; None where there is no ledger."""
    on_postgresql = connection.dialect.name == "postgresql"
    schema = postgresql.SCHEMA if on_postgresql else None
    if not sa.inspect(connection).has_table("alembic_version", schema=schema):
        if not (on_postgresql and postgresql.has_old_tables(connection)):
            return None
        schema = postgresql.OLD_SCHEMA
    table = sa.table("alembic_version", sa.column("version_num"), schema=schema)
    found: str | None = connection.scalar(sa.select(table.c.version_num))
    return found


def _is_ready(connection: sa.Connection) -> bool:
    """The schema is ours: in one question, where finding out what else it may be takes several."""
    try:
        return bool(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD)
    except sa.exc.DBAPIError:
        return False
    finally:
        connection.rollback()


@contextmanager
def translated(url: sa.URL) -> Iterator[None]:
    """The border: database and file errors leave as LedgerUnavailable."""
    try:
        yield
    except LedgerError:
        raise
    except (OSError, ImportError, UnicodeError, sa.exc.SQLAlchemyError) as error:
        raise LedgerUnavailable(sentence(url, error)) from error


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, errors translated."""
    with translated(engine.url), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One view of the ledger for all that is asked of it, whoever writes meanwhile. Cannot write."""
    with translated(engine.url), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # sqlite3 by itself gives every SELECT a view of its own
        else:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


def _make_ready(engine: sa.Engine, found: str | None) -> None:
    from stopgap.ledger import schema  # alembic, a quarter second: paid only when the schema is another

    if engine.dialect.name == "sqlite":
        schema.migrate(engine)
    elif found is None:
        raise NoLedger(f"{shown(engine.url)} is not a ledger yet: its owner runs `stopgap ledger init`")
    else:
        schema.refuse_newer(engine.url, found)
        raise NoLedger(
            f"the ledger {shown(engine.url)} has schema {found}, this stopgap needs {HEAD}: "
            "its owner runs `stopgap ledger upgrade`"
        )
