"""Who may do what on PostgreSQL: by grants, tried statement by statement."""

import io
import json
import re

import psycopg
import pytest
import sqlalchemy as sa
from tests.typed import ingest, stopgap
from tests.unit.ledger.makers import RUN, event, raw_event
from tests.unit.ledger.test_exchange import Books

from stopgap.ledger import book, roles, schema, service, store
from stopgap.ledger.errors import LedgerUnavailable, NotAllowed
from stopgap.ledger.exchange import bring_in
from stopgap.ledger.postgresql import SCHEMA
from stopgap.ledger.tables import metadata

FORBIDDEN_TO_WRITERS = [
    "UPDATE stopgap.events SET verdict = 'fixed'",
    "UPDATE stopgap.events SET reason = reason",
    "DELETE FROM stopgap.events",
    "TRUNCATE stopgap.events",
    "TRUNCATE stopgap.cases",
    "MERGE INTO stopgap.events e USING stopgap.pen p ON true WHEN MATCHED THEN DELETE",
    "SELECT * FROM stopgap.events FOR UPDATE",
    "DROP TABLE stopgap.events",
    "DROP SCHEMA stopgap CASCADE",
    "ALTER TABLE stopgap.events DROP COLUMN hash",
    "ALTER TABLE stopgap.events DISABLE TRIGGER ALL",
    "ALTER TABLE stopgap.events OWNER TO awx",
    "CREATE TABLE stopgap.mine (a int)",
    "CREATE INDEX ON stopgap.events (hash)",
    "CREATE RULE away AS ON INSERT TO stopgap.events DO INSTEAD NOTHING",
    "CREATE TRIGGER away BEFORE INSERT ON stopgap.events EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE FUNCTION stopgap.now() RETURNS text LANGUAGE sql AS 'select 1'",
    "DELETE FROM stopgap.chains",
    "UPDATE stopgap.chains SET writer = 'w'",
    "UPDATE stopgap.pen SET writer = 'w'",
    "DELETE FROM stopgap.pen",
    "INSERT INTO stopgap.pen VALUES (2, '', '')",
    "UPDATE stopgap.alembic_version SET version_num = '9999'",
    "SET ROLE postgres",
    "SET session_replication_role = replica",
    "COPY stopgap.events TO PROGRAM 'cat'",
]


@pytest.fixture
def team(postgres, empty_team_ledger, tmp_path, monkeypatch):
    """A ledger with one event and one case. A callable: this login's books from here on."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    postgres.create_login("report", "stopgap_reader")
    postgres.create_login("stranger")

    def be(login):
        monkeypatch.setenv("STOPGAP_LEDGER_URL", postgres.url(empty_team_ledger, login))
        return store.ledger_url()

    be("awx")
    with store.writing(store.open_ledger()) as connection:
        book.record(connection, [event()])
    return be


def refused(postgres, database, login, statement):
    try:
        postgres.sql(statement, database=database, user=login)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def spool_one(folder, **changes):
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "spool" / f"{RUN}.jsonl"
    path.write_text(json.dumps(raw_event(**changes)) + "\n")
    return path


def test_a_writer_appends_and_changes_nothing(team, postgres, team_ledger, tmp_path):
    path = spool_one(tmp_path, host="web2")
    done = ingest()
    assert (done.returncode, done.stderr, path.exists()) == (0, "", False)
    before = postgres.sql("SELECT * FROM stopgap.events ORDER BY id", database=team_ledger)
    assert len(before) == 2
    refused(postgres, team_ledger, "awx", "GRANT UPDATE ON stopgap.events TO awx")  # a warning, and no effect
    allowed = [one for one in FORBIDDEN_TO_WRITERS if not refused(postgres, team_ledger, "awx", one)]
    assert allowed == []
    assert postgres.sql("SELECT * FROM stopgap.events ORDER BY id", database=team_ledger) == before
    assert service.rebuild() == 2
    assert service.check() == []


@pytest.mark.parametrize("login", ["report", "stranger"])
def test_nobody_else_writes_anything(login, team, postgres, team_ledger, tmp_path):
    tables = [*metadata.tables, "alembic_version"]
    tried = [
        *FORBIDDEN_TO_WRITERS,
        *(f"INSERT INTO stopgap.{table} DEFAULT VALUES" for table in tables),
        *(f"DELETE FROM stopgap.{table}" for table in tables),
        *(f"TRUNCATE stopgap.{table}" for table in tables),
        "UPDATE stopgap.cases SET state = 'fixed'",
        "UPDATE stopgap.pen SET writer = 'me'",
    ]
    assert [one for one in tried if not refused(postgres, team_ledger, login, one)] == []
    team(login)
    path = spool_one(tmp_path)
    done = ingest()
    assert done.returncode == 1
    assert f'GRANT stopgap_writer TO "{login}"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert path.exists()


def test_a_copy_of_this_ledger_that_was_written_to_is_its_owner_s_to_import(team, postgres, team_ledger):
    """This ledger needs another name then, which is not a writer's to give, whatever else it was granted."""
    copy = Books(
        postgres.sql("SELECT writer FROM stopgap.pen", database=team_ledger)[0][0], [event(reason="elsewhere")]
    )
    team("awx")
    with pytest.raises(NotAllowed, match="goes on under this ledger's name: its owner has to import it"):
        take(copy.export())
    team("postgres")
    assert [one.chain.host for one in take(copy.export()).forks] == ["web1"]


def take(export):
    with store.writing(store.open_ledger()) as connection:
        return bring_in(connection, io.BytesIO(export))


def test_a_reader_reads(team):
    team("report")
    assert [case.host for case in service.all_cases()] == ["web1"]
    assert service.check() == []
    for verb, said in (("status", "1 case: 1 exposed"), ("debt", "debt 0")):
        done = stopgap(verb)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout


def test_a_stranger_sees_nothing(team, postgres, team_ledger):
    for table in [*metadata.tables, "alembic_version"]:
        assert refused(postgres, team_ledger, "stranger", f"SELECT FROM stopgap.{table}")
    team("stranger")
    with pytest.raises(LedgerUnavailable, match="or stopgap_reader, for reading only"):
        service.all_cases()


def test_check_says_what_each_may(team):
    told = {}
    for login in ("postgres", "awx", "report"):
        team(login)
        found = service.look()
        told[login] = (found.role, found.reads, found.writes, found.append_only)
    assert told == {
        "postgres": ("postgres", True, True, False),
        "awx": ("awx", True, True, True),
        "report": ("report", True, False, True),
    }


def test_every_table_has_its_grants():
    assert set(roles.WRITER_MAY) == {*metadata.tables, "alembic_version"}
    assert roles.WRITER_MAY["events"] == "SELECT, INSERT"


def test_init_takes_back_what_was_granted_too_much(team, postgres, team_ledger):
    for group in ("PUBLIC", "stopgap_writer", "stopgap_reader"):
        postgres.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA stopgap TO {group}", database=team_ledger)
        postgres.sql(f"GRANT ALL ON SCHEMA stopgap TO {group}", database=team_ledger)
    postgres.sql("GRANT UPDATE (verdict) ON stopgap.events TO stopgap_writer", database=team_ledger)
    for again in (schema.init, schema.upgrade):
        again(team("postgres"))
        for login in ("awx", "report", "stranger"):
            assert refused(postgres, team_ledger, login, "UPDATE stopgap.events SET verdict = 'fixed'")
            assert refused(postgres, team_ledger, login, "CREATE TABLE stopgap.mine (a int)")
        assert refused(postgres, team_ledger, "stranger", "SELECT FROM stopgap.cases")


def test_where_nobody_may_have_temporary_tables_writers_get_them(postgres, monkeypatch):
    database = postgres.create_database()
    postgres.sql(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    schema.init(sa.make_url(postgres.url(database)))
    writer = postgres.create_login("tower", "stopgap_writer")
    monkeypatch.setenv("STOPGAP_LEDGER_URL", postgres.url(database, writer))
    with store.writing(store.open_ledger()) as connection:
        assert book.record(connection, [event()]) == 1
    postgres.drop_database(database)


def test_who_may_not_give_temporary_tables_is_told_the_sql(postgres):
    keeper, database = postgres.create_login("keeper", options="CREATEROLE"), postgres.create_database()
    postgres.sql(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    postgres.sql(f'GRANT CREATE, CONNECT ON DATABASE "{database}" TO {keeper}')
    url = sa.make_url(postgres.url(database, keeper))
    for whose in ("keeper", "writers"):
        with pytest.raises(NotAllowed, match="let its owner run GRANT TEMPORARY ON DATABASE") as raised:
            schema.init(url)
        statement = re.search("GRANT TEMPORARY [^;]+;", str(raised.value))[0]
        assert ("stopgap_writer" in statement) == (whose == "writers")
        postgres.sql(statement, database=database)
    schema.init(url)
    postgres.drop_database(database)


def test_only_the_owner_upgrades(team):
    for login in ("awx", "report", "stranger"):
        with pytest.raises(NotAllowed, match="only"):
            schema.upgrade(team(login))


def test_an_owner_who_may_make_no_roles_is_told_the_sql(postgres, monkeypatch):
    """And that SQL, run by an administrator, is enough; all belongs to the owner then."""
    for name in ("WRITER", "READER"):
        monkeypatch.setattr(roles, name, f"stopgap_test_{name.lower()}")
    owner = postgres.create_login('o"wner: %s')
    database = postgres.create_database()
    url = sa.make_url(postgres.url(database)).set(username='o"wner: %s')
    with pytest.raises(NotAllowed, match="let an administrator run CREATE ROLE") as raised:
        schema.init(url)
    assert postgres.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'stopgap'", database=database) == []
    for statement in re.findall(r"CREATE [^;]+;", str(raised.value)):
        postgres.sql(statement, database=database)
    schema.init(url)
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'stopgap'::regnamespace"
    assert postgres.sql(owners, database=database) == [(owner,)]
    postgres.sql(f"SET ROLE stopgap_test_writer; SELECT FROM {SCHEMA}.events", database=database)
    postgres.drop_database(database)
