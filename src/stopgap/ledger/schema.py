"""Making and upgrading a ledger: everything in one transaction, one at a time.

SQLite's owner is whoever opens it. PostgreSQL's is the role that ran `stopgap ledger init`: plays have a lesser one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command, util
from alembic.config import Config
from alembic.script import ScriptDirectory

from stopgap.ledger import postgresql, roles
from stopgap.ledger.errors import LedgerTooNew, NoLedger, NotAllowed
from stopgap.ledger.migrations import HEAD
from stopgap.ledger.store import engine_of, ledger_url, translated, version_at
from stopgap.ledger.trouble import shown, what_it_said

TURN = 0x5709_6A9  # the advisory lock of those who make and upgrade; any number of our own


@dataclass(frozen=True, slots=True)
class Done:
    """`before` is None for a ledger that is new."""

    url: str
    before: str | None
    now: str
    has_roles: bool


def init(url: sa.URL | None = None) -> Done:
    """A new ledger; of one that is there, its grants anew. Raises LedgerError, and then changed nothing."""
    return _done(url or ledger_url(), new=True)


def upgrade(url: sa.URL | None = None) -> Done:
    return _done(url or ledger_url(), new=False)


def migrate(engine: sa.Engine) -> None:
    """SQLite's: as it is opened."""
    with translated(engine.url), _turn(engine) as connection:
        _migrate(connection)


def refuse_newer(url: sa.URL, found: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found not in known:
        raise _too_new(url, found)


def _done(url: sa.URL, *, new: bool) -> Done:
    with translated(url), _owners_work(url), _turn(engine_of(url)) as connection:
        before = version_at(connection)
        if before is None and not new:
            raise NoLedger(f"{shown(url)} is not a ledger yet: `stopgap ledger init` makes one")
        if before not in (None, HEAD):
            refuse_newer(url, str(before))
            if new:
                raise NoLedger(f"{shown(url)} holds a ledger of schema {before}: `stopgap ledger upgrade` is for it")
        has_roles = connection.dialect.name == "postgresql"
        if has_roles:
            _migrate_as_owner(connection)
        else:
            _migrate(connection)
    return Done(shown(url), before, HEAD, has_roles)


def _migrate_as_owner(connection: sa.Connection) -> None:
    roles.prepare(connection)
    has_ours = sa.inspect(connection).has_table("alembic_version", schema=postgresql.SCHEMA)
    if not has_ours and postgresql.has_old_tables(connection):
        postgresql.move_old_tables(connection)
    _migrate(connection)
    postgresql.leave_room(connection)
    roles.grant(connection)


@contextmanager
def _owners_work(url: sa.URL) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "42501":
            raise
        said = what_it_said(error.orig) if error.orig else ""
        if "current_schema" in (error.statement or ""):  # asked at the very start; where ours is not there, of pg_temp
            raise NotAllowed(f"{shown(url)}: {roles.temporary_wanted(url)}") from error
        raise NotAllowed(f"{shown(url)}: {said}; only the ledger's owner or an administrator may do this") from error


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # sqlite3 begins no transaction for DDL by itself: a kill half-way would leave half a schema.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            for name, value in postgresql.OWNER_SESSION.items():
                connection.execute(sa.text(f"SET LOCAL {name} = '{value}'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(TURN)))
        yield connection


def _migrate(connection: sa.Connection) -> None:
    before = version_at(connection)
    if before == HEAD:
        return
    settings = _config()
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, HEAD)
    except util.CommandError as error:
        raise _too_new(connection.engine.url, str(before)) from error
    if before is not None:
        from stopgap.ledger import book

        book.rebuild(connection)  # what cases hold is this code's affair, not the migrations'


def _config() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return settings


def _too_new(url: sa.URL, found: str) -> LedgerTooNew:
    return LedgerTooNew(
        f"the ledger {shown(url)} was written by a newer stopgap (its schema is {found}, the newest known here is "
        f"{HEAD}): upgrade this one"
    )
