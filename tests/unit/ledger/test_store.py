"""Opening the ledger: closed to others, upgraded once, whoever comes first; and sentences when it cannot be."""

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.unit.ledger.makers import only_sqlite

import stopgap.ledger
from stopgap.ledger import service, store
from stopgap.ledger.errors import LedgerTooNew, LedgerUnavailable
from stopgap.ledger.migrations import HEAD
from stopgap.ledger.tables import metadata, pen


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_migrations_make_the_tables_that_queries_use(state):
    engine = store.open_ledger()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", f"{stopgap.ledger.__path__[0]}/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@only_sqlite
def test_files_are_closed_to_others(state, monkeypatch):
    old = os.umask(0)
    try:
        engine = store.open_ledger()
        with engine.connect() as connection:
            connection.execute(sa.text("select 1 from events"))
            assert {mode(path) for path in state.iterdir() if path.is_file()} == {0o600}
    finally:
        os.umask(old)
    assert mode(state) == 0o700


def test_an_open_ledger_costs_no_alembic(state):
    store.open_ledger()
    code = "import sys; from stopgap.ledger import store; store.open_ledger(); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@only_sqlite
def test_reading_makes_no_ledger(state):
    assert service.all_cases() == []
    assert service.check() == []
    assert not state.exists()


def _open(path):
    store.open_ledger(sa.make_url(f"sqlite:///{path}")).dispose()


def test_many_first_openers_make_one_ledger(tmp_path):
    context = multiprocessing.get_context("spawn")
    first = [context.Process(target=_open, args=(tmp_path / "ledger.sqlite",)) for _ in range(3)]
    for process in first:
        process.start()
    for process in first:
        process.join()
    assert [process.exitcode for process in first] == [0] * 3
    with store.open_ledger(sa.make_url(f"sqlite:///{tmp_path / 'ledger.sqlite'}")).connect() as connection:
        assert connection.scalar(sa.text("select count(*) from pen")) == 1


def _write_and_fail():
    with store.writing_ledger() as connection:
        connection.execute(sa.update(pen).values(taken_at="1"))
        raise ZeroDivisionError


def test_who_fails_has_written_nothing_and_says_why(state):
    with pytest.raises(ZeroDivisionError):
        _write_and_fail()
    with store.writing_ledger() as connection:
        assert connection.scalar(sa.select(pen.c.taken_at)) != "1"


@only_sqlite
def test_a_newer_ledger_is_left_alone(state):
    store.open_ledger()
    with sqlite3.connect(state / "ledger.sqlite") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(LedgerTooNew, match="newer stopgap"):
        store.open_ledger()


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/no/such/ledger.sqlite", "nodb://user:secret@host/db"])
def test_a_ledger_that_cannot_be_used_is_a_sentence_without_secrets(url, monkeypatch):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", url)
    with pytest.raises(LedgerUnavailable) as raised:
        store.open_ledger()
    assert "secret" not in str(raised.value)


@only_sqlite
def test_a_file_that_is_no_database(state):
    state.mkdir()
    (state / "ledger.sqlite").write_text("this is not a database, and long enough to be looked at " * 20)
    with pytest.raises(LedgerUnavailable, match="not a database"):
        store.open_ledger()
