"""Making and upgrading a ledger: whole or not at all, once, by its owner; and nothing is lost on the way."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer
from alembic.script import ScriptDirectory
from tests.unit.ledger.conftest import BACKENDS

from stopgap.cli import ledger as commands
from stopgap.ledger import integrity, schema, service, store
from stopgap.ledger.errors import LedgerTooNew, NoLedger, NotAllowed
from stopgap.ledger.migrations import HEAD
from stopgap.ledger.postgresql import FILLED
from stopgap.ledger.tables import metadata

# Dumps of ledgers as released versions of stopgap made them, one for each schema but the newest.
OLD = sorted((Path(__file__).parents[2] / "cases" / "ledger_schemas").glob("*.sql"))

OLD_EVENT = "id, at, estate, host, remedy, revision, kind, verdict, reason, evidence, actor, run, origin"
# A migration that is killed at its very end.
KILLED = """
import os, signal, sqlalchemy as sa
from stopgap.ledger import schema
@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def die(connection, cursor, statement, *_):
    if "cases_with_debt" in statement:
        os.kill(os.getpid(), signal.SIGKILL)
schema.upgrade()
"""


@pytest.fixture(params=BACKENDS)
def database(request, tmp_path, monkeypatch):
    """An empty one, named by STOPGAP_LEDGER_URL. A callable: runs SQL in it behind the ledger's back."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite"
        url = f"sqlite:///{path}"

        def run(text):
            with closing(sqlite3.connect(path)) as connection, connection:
                if text.lstrip().startswith("SELECT"):
                    return connection.execute(text).fetchall()
                connection.executescript(text)

        yield _named(monkeypatch, tmp_path, url, run)
        return
    server = request.getfixturevalue("postgres")
    name = server.create_database()
    yield _named(monkeypatch, tmp_path, server.url(name), lambda text: server.sql(text, database=name))
    server.drop_database(name)


def _named(monkeypatch, folder, url, run):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", url)
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(folder))
    return run


def on_postgresql():
    return store.ledger_url().get_backend_name() == "postgresql"


def old_place():
    return "public." if on_postgresql() else ""


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request, database):
    database(request.param.read_text())
    return database


def everything_in_order():
    with store.reading(store.open_ledger()) as connection:
        verified = integrity.verify(connection)
        assert verified.findings == [], verified
        events = connection.execute(sa.text("SELECT count(*) FROM events")).scalar()
    assert service.check() == []
    return events


def test_there_is_a_dump_of_each_schema_but_the_newest():
    revisions = [script.revision for script in ScriptDirectory.from_config(schema._config()).walk_revisions()]
    assert sorted(revisions) == [*(path.stem for path in OLD), HEAD]


def test_an_upgrade_loses_nothing(old):
    told = old(f"SELECT {OLD_EVENT} FROM {old_place()}events ORDER BY id")
    states = old(f"SELECT estate, host, remedy, state FROM {old_place()}cases")
    if on_postgresql():
        with pytest.raises(NoLedger, match="its owner runs `stopgap ledger upgrade`"):
            store.open_ledger()
        assert schema.upgrade().before == "0001"
    assert len(told) == everything_in_order() == 33
    assert old(f"SELECT {OLD_EVENT} FROM {'stopgap.' if on_postgresql() else ''}events ORDER BY id") == told
    assert {(one.estate, one.host, one.remedy, one.state) for one in service.all_cases()} == set(states)
    assert schema.upgrade().before == HEAD
    everything_in_order()


def test_an_upgrade_that_is_killed_has_not_begun(old):
    before = old(f"SELECT {OLD_EVENT} FROM {old_place()}events ORDER BY id")
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == -9
    assert old(f"SELECT version_num FROM {old_place()}alembic_version") == [("0001",)]
    assert old(f"SELECT {OLD_EVENT} FROM {old_place()}events ORDER BY id") == before
    assert schema.upgrade().before == "0001"
    assert everything_in_order() == len(before)


@pytest.mark.parametrize("verb", ["init", "upgrade"])
def test_many_at_once_do_it_once(verb, database):
    if verb == "upgrade":
        database(OLD[0].read_text())
    command = [sys.executable, "-m", "stopgap.ledger", verb]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [json.loads(process.communicate()[0]) for process in crowd]
    assert sorted(str(one["before"]) for one in told) == sorted([HEAD, HEAD, "0001" if verb == "upgrade" else "None"])
    everything_in_order()


def test_init_twice_is_init_once_and_upgrade_needs_a_ledger(database):
    with pytest.raises(NoLedger, match="`stopgap ledger init` makes one"):
        schema.upgrade()
    assert schema.init().before is None
    assert schema.init().before == HEAD
    assert everything_in_order() == 0


def test_init_is_not_for_an_older_ledger(old):
    with pytest.raises(NoLedger, match="schema 0001: `stopgap ledger upgrade`"):
        schema.init()


def test_a_ledger_of_a_newer_stopgap_is_left_alone(database):
    schema.init()
    database(f"UPDATE {'stopgap.' if on_postgresql() else ''}alembic_version SET version_num = '9999'")
    for touch in (store.open_ledger, schema.init, schema.upgrade):
        with pytest.raises(LedgerTooNew, match="newer stopgap"):
            touch()


def test_the_commands_say_what_they_did(database, capsys):
    with pytest.raises(typer.Exit):
        commands.upgrade()
    assert "`stopgap ledger init` makes one" in capsys.readouterr().err
    said = []
    for command in (commands.init, commands.init, commands.upgrade, commands.check):
        command()
        said.append(capsys.readouterr().out)
    told = (
        "a new ledger, schema",
        "a ledger already",
        f"schema {HEAD}, as before",
        "every case is what its events say",
    )
    assert all(part in text for part, text in zip(told, said, strict=True))
    assert ("GRANT stopgap_writer TO" in said[0]) is on_postgresql()
    assert ("PostgreSQL" if on_postgresql() else "SQLite 3.") in said[3]
    assert ("role postgres: reads and writes, may change events" in said[3]) is on_postgresql()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_plays_do_not_make_a_ledger_on_a_server(database):
    with pytest.raises(NoLedger, match="not a ledger yet: its owner runs `stopgap ledger init`"):
        store.open_ledger()
    assert database("SELECT nspname FROM pg_namespace WHERE nspname = 'stopgap'") == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_another_program_s_tables_are_none_of_ours(database):
    database("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('0001')")
    database("CREATE TABLE events (mine int); CREATE TABLE stopgap_notes (mine int)")
    schema.init()
    assert everything_in_order() == 0
    assert database("SELECT version_num FROM public.alembic_version") == [("0001",)]
    assert database("SELECT mine FROM public.events") == []


def test_a_database_that_cannot_keep_all_text(postgres):
    postgres.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'")
    with pytest.raises(NotAllowed, match="keeps text as LATIN1: make another with createdb"):
        schema.init(sa.make_url(postgres.url("latin")))
    assert postgres.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'stopgap'", database="latin") == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_hosts_are_in_the_same_order_everywhere(database):
    database(OLD[0].read_text())
    schema.upgrade()
    hosts = [one.host for one in service.all_cases(estate="default")]
    assert hosts == sorted(hosts)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_rows_that_are_replaced_have_room_also_in_a_ledger_made_before_they_had(database):
    schema.init()
    database("ALTER TABLE stopgap.chains RESET (fillfactor)")
    schema.upgrade()
    found = database("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'")
    assert {name: options for name, options in found if name in metadata.tables} == {
        name: [f"fillfactor={percent}"] for name, percent in FILLED.items()
    }
