"""Where the ledger is, and opening it: an engine whose schema is the one this code knows."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from stopgap.ledger.errors import LedgerTooNew, LedgerUnavailable
from stopgap.ledger.paths import state_dir
from stopgap.ledger.tables import HEAD

BUSY_SECONDS = 30


def ledger_url() -> sa.URL:
    given = os.environ.get("STOPGAP_LEDGER_URL")
    if given:
        try:
            return sa.make_url(given)
        except sa.exc.ArgumentError as error:
            raise LedgerUnavailable(
                "STOPGAP_LEDGER_URL is not a database URL such as sqlite:////path/to/file"
            ) from error
    return sa.URL.create("sqlite", database=str(state_dir() / "ledger.sqlite"))


def exists(url: sa.URL | None = None) -> bool:
    """False only for an SQLite file that is not there yet: reading must not create one."""
    path = _sqlite_path(url or ledger_url())
    return path is None or path.exists()


def open_ledger(url: sa.URL | None = None) -> sa.Engine:
    """The ledger, created or upgraded when it has to be. Raises LedgerUnavailable or LedgerTooNew."""
    url = url or ledger_url()
    with translated(url):
        engine = _engine(url)
        if _version(engine) != HEAD:
            _upgrade(engine)
    return engine


@contextmanager
def translated(url: sa.URL) -> Iterator[None]:
    """The border: database and file errors leave as LedgerUnavailable."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise LedgerUnavailable(f"the ledger {_shown(url)} cannot be used: {error.orig}") from error
    except (OSError, ImportError, sa.exc.SQLAlchemyError) as error:
        raise LedgerUnavailable(f"the ledger {_shown(url)} cannot be used: {error}") from error


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, errors translated."""
    with translated(engine.url), engine.begin() as connection:
        yield connection


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=True)


def _engine(url: sa.URL) -> sa.Engine:
    path = _sqlite_path(url)
    if path is None:
        return sa.create_engine(url)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Created closed to others before SQLite opens it; its -wal and -shm files take over the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    engine = sa.create_engine(url, poolclass=NullPool)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # the spool file is removed right after the commit


def _sqlite_path(url: sa.URL) -> Path | None:
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return _version_at(connection)


def _version_at(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command, config, util  # a quarter second: paid only when the schema is behind

    settings = config.Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # sqlite3 begins no transaction for DDL by itself: a kill half-way would leave half a schema.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        settings.attributes["connection"] = connection
        before = _version_at(connection)
        try:
            command.upgrade(settings, HEAD)
        except util.CommandError as error:
            raise LedgerTooNew(
                f"the ledger {_shown(engine.url)} was written by a newer stopgap ({error}): upgrade this one"
            ) from error
        if before is not None:
            from stopgap.ledger import book

            book.rebuild(connection)  # what cases hold is this code's affair, not the migrations'
