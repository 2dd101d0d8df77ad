"""Databases that fail: one sentence with the way out and no secret in it, and the spool stays until it is delivered."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from tests.typed import ingest
from tests.unit.ledger.makers import RUN, event, only_sqlite, raw_event

from stopgap.ledger import book, service, sqlite, store
from stopgap.ledger.__main__ import main
from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.postgresql import SESSION

only_postgresql = pytest.mark.parametrize("state", ["postgresql"], indirect=True)

# Writes, and is stopped before the commit until it reads a line.
WRITER = """
import sys
from stopgap.ledger import store
from stopgap.ledger.book import take_the_pen
with store.writing(store.open_ledger()) as connection:
    take_the_pen(connection)
    print("holds the pen", flush=True)
    sys.stdin.readline()
"""
# Dies after everything is written and before the commit.
DYING = """
import os, signal
from stopgap.ledger import book, service
from stopgap.ledger.paths import spool_dir
real = book.record_news
def record(*arguments, **more):
    print(real(*arguments, **more), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
book.record_news = record
list(service.ingest(spool_dir()))
"""


def write(spool, *events):
    path = spool / f"{RUN}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path


def complaint(url):
    with pytest.raises(LedgerUnavailable) as raised:
        store.open_ledger(sa.make_url(url))
    said = str(raised.value)
    assert "\n" not in said
    assert "geheim" not in said
    return said


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("postgresql://a:geheim@nohost.invalid/x", "no host of that name is known"),
        ("postgresql://a@127.0.0.1:1/x?password=geheim", "Connection refused; no server answers there"),
        ("postgres://a:geheim@127.0.0.1:99999999/x", "invalid port number"),
        ("postgresql://a:geheim@/x?host=/nonexistent", "No such file or directory; no server answers there"),
        ("postgresql+nodriver://a:geheim@127.0.0.1:1/x", "no server answers there"),
        ("nodb://a:geheim@h/x", "cannot be used"),
        ("mysql://a:geheim@h/x", "cannot be used"),
    ],
)
def test_urls_that_lead_nowhere(url, way_out):
    assert way_out in complaint(url)


@pytest.mark.parametrize("option", ["timeout=abc", "check_same_thread=maybe", "cached_statements=1e9"])
@only_sqlite
def test_an_option_of_the_url_that_makes_no_sense(option, state, monkeypatch, tmp_path):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.sqlite?{option}")
    with pytest.raises(LedgerUnavailable, match=r"cannot be used: .*(abc|maybe|1e9)"):
        store.open_ledger()


@only_sqlite
def test_a_home_that_nobody_knows_is_one_sentence(state, monkeypatch):
    for name in ("STOPGAP_STATE_DIR", "STOPGAP_LEDGER_URL", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "~")  # as it is expanded where there is none
    with pytest.raises(LedgerUnavailable, match="set HOME, or STOPGAP_STATE_DIR"):
        service.all_cases()


@pytest.mark.parametrize("url", ["nonsense geheim", "postgresql://u:geheim@h:port/x", "postgresql://u:geheim@h/\udcff"])
def test_urls_that_are_none(url, monkeypatch):
    monkeypatch.setattr("os.environ", {"STOPGAP_LEDGER_URL": url})
    with pytest.raises(LedgerUnavailable) as raised:
        service.all_cases()
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///?mode=memory"])
@only_sqlite
def test_a_ledger_that_would_be_forgotten_at_once_takes_no_spool(url, state, spool, monkeypatch):
    path = write(spool, raw_event())
    monkeypatch.setenv("STOPGAP_LEDGER_URL", url)  # `sqlite:///$NAME`, where nobody set NAME
    done = ingest()
    assert (done.returncode, path.exists()) == (1, True)
    assert "STOPGAP_LEDGER_URL names no file" in done.stderr


@only_sqlite
def test_what_is_no_plain_file_is_refused_as_it_is(state, spool, monkeypatch, tmp_path):
    path, pipe = write(spool, raw_event()), tmp_path / "null"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{pipe}")  # as /dev/null would be, by root
    done = ingest()
    assert (done.returncode, path.exists()) == (1, True)
    assert "no plain file" in done.stderr
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o666


def test_a_server_that_does_not_let_one_in(postgres, team_ledger):
    login = postgres.create_login("awx")
    assert "user or password is wrong" in complaint(postgres.url(team_ledger, login, tcp=True, password="geheim"))  # noqa: S106
    assert "user or password is wrong" in complaint(postgres.url(team_ledger, "ghost", tcp=True))
    assert "CREATE ROLE … LOGIN" in complaint(postgres.url(team_ledger, "ghost"))
    assert "make it with createdb, then run `stopgap ledger init`" in complaint(postgres.url("nowhere"))
    assert "TLS with this server failed" in complaint(postgres.url(team_ledger, login, tcp=True) + "?sslmode=require")


def test_a_database_that_waits_for_its_init_says_so_to_a_writer_too(postgres, team_ledger):
    bare = postgres.create_database()
    postgres.sql(f"REVOKE ALL ON DATABASE {bare} FROM PUBLIC")  # as the how-to has it
    postgres.sql(f"GRANT CONNECT ON DATABASE {bare} TO stopgap_writer")
    said = complaint(postgres.url(bare, postgres.create_login("awx", "stopgap_writer")))
    assert "no ledger is there, or not for this user; its owner runs `stopgap ledger init`" in said


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert complaint("postgresql://a:geheim@h/x").endswith("pip install 'stopgap[postgresql]'")


@pytest.mark.parametrize("text", ["\ud800", "a\0b"])
def test_text_that_no_database_keeps_is_refused_or_matches_nothing(text, state):
    with store.writing(store.open_ledger()) as connection:
        book.record(connection, [event()])
    if text == "a\0b" and store.ledger_url().get_backend_name() == "sqlite":
        assert service.all_cases(host=text) == []
        return
    with pytest.raises(LedgerUnavailable, match="holds characters that no database keeps"):
        service.all_cases(host=text)


@only_sqlite
def test_a_fault_of_ours_shows_where_and_keeps_the_spool(state, spool, monkeypatch):
    def broken(*_):
        raise KeyError("no such \n thing")

    path = write(spool, raw_event())
    monkeypatch.setattr(book, "record_news", broken)
    with pytest.raises(KeyError):
        main(["ingest"])
    assert path.exists()


@only_postgresql
def test_a_server_away_keeps_the_spool(state, spool, postgres):
    path = write(spool, raw_event(), raw_event(host="web2"))
    postgres.stop("immediate")
    try:
        done = ingest()
    finally:
        postgres.start()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no server answers there" in done.stderr
    assert path.exists()
    assert json.loads(ingest().stdout)["new"] == 2
    assert service.check() == []


@only_postgresql
def test_a_server_that_was_restarted_between_two_files_takes_the_second(state, spool, postgres):
    for name in "ab":
        (spool / f"{name}.jsonl").write_text(json.dumps(raw_event(host=name)) + "\n")
    deliveries = service.ingest(spool)
    assert next(deliveries).new == 1
    postgres.restart()
    assert [one.new for one in deliveries] == [1]
    assert [case.host for case in service.all_cases()] == ["a", "b"]


@only_sqlite
def test_a_file_that_was_taken_away_between_two_deliveries_loses_neither(state, spool):
    """Each delivery goes into the file that has the ledger's name by then."""
    for name in "ab":
        (spool / f"{name}.jsonl").write_text(json.dumps(raw_event(host=name)) + "\n")
    deliveries = service.ingest(spool)
    assert next(deliveries).new == 1
    kept = state / "elsewhere.sqlite"
    (state / "ledger.sqlite").rename(kept)
    assert [one.new for one in deliveries] == [1]
    assert [case.host for case in service.all_cases()] == ["b"]
    assert stat.S_IMODE((state / "ledger.sqlite").stat().st_mode) == 0o600
    (state / "ledger.sqlite").unlink()
    kept.rename(state / "ledger.sqlite")
    assert [case.host for case in service.all_cases()] == ["a"]


def test_a_relative_path_means_the_folder_that_one_is_in(tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", "sqlite:///here.sqlite")
    for name in "ab":
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with store.writing_ledger() as connection:
            book.record(connection, [event(host=name)])
        assert [case.host for case in service.all_cases()] == [name]


@only_postgresql
def test_a_server_that_dies_before_the_commit_keeps_the_spool(state, spool, postgres, monkeypatch):
    path = write(spool, raw_event())
    real = book.record_news

    def record(*arguments, **more):
        new = real(*arguments, **more)
        postgres.restart("immediate")
        return new

    with monkeypatch.context() as patched:
        patched.setattr(book, "record_news", record)
        with pytest.raises(LedgerUnavailable, match=r"the server (went away|was shut down) meanwhile"):
            list(service.ingest(spool))
    assert path.exists()
    assert service.all_cases() == []
    assert [one.new for one in service.ingest(spool)] == [1]
    assert service.check() == []


def test_a_writer_killed_before_the_commit_has_written_nothing(state, spool):
    path = write(spool, raw_event(), raw_event(host="web2"))
    done = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-9, "2\n")
    assert path.exists()
    assert service.all_cases() == []
    assert [one.new for one in service.ingest(spool)] == [2]
    assert service.check() == []


def start_writer():
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", WRITER], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def stopped_writer(state):
    """A process with the pen in its hand, stopped as a sleeping laptop is."""
    store.open_ledger()
    with start_writer() as process:
        assert process.stdout.readline() == "holds the pen\n"
        process.send_signal(signal.SIGSTOP)
        yield process
        process.send_signal(signal.SIGCONT)
        process.kill()


def with_waits(monkeypatch, **waits):
    """Our own waits are minutes; those of the URL win over them."""
    options = " ".join(f"-c {name}={value}" for name, value in waits.items())
    url = store.ledger_url().render_as_string(hide_password=False)
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"{url}&options={quote(options)}")


@only_postgresql
def test_who_waits_too_long_for_a_stopped_writer_keeps_the_spool(stopped_writer, spool, monkeypatch):
    path = write(spool, raw_event())
    with_waits(monkeypatch, lock_timeout="100ms")
    with pytest.raises(LedgerUnavailable, match="another writer holds it and does not finish"):
        list(service.ingest(spool))
    assert path.exists()


@only_sqlite
def test_who_waits_too_long_for_a_stopped_writer_keeps_the_spool_on_sqlite(stopped_writer, spool, monkeypatch):
    path = write(spool, raw_event())
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    with pytest.raises(LedgerUnavailable, match="another process has been writing"):
        list(service.ingest(spool))
    assert path.exists()
    stopped_writer.kill()
    stopped_writer.wait()
    assert [one.new for one in service.ingest(spool)] == [1]


@only_postgresql
def test_a_stopped_writer_loses_its_turn(state, spool, monkeypatch):
    write(spool, raw_event())
    ours = store.ledger_url().render_as_string(hide_password=False)
    with monkeypatch.context() as patched:
        with_waits(patched, idle_in_transaction_session_timeout="300ms")
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with writer, contextlib.ExitStack() as always:
        always.callback(writer.kill)  # stopped, it would be waited for without end
        assert writer.stdout.readline() == "holds the pen\n"
        writer.send_signal(signal.SIGSTOP)
        assert store.ledger_url().render_as_string(hide_password=False) == ours
        began = time.monotonic()
        assert [one.new for one in service.ingest(spool)] == [1]
        assert time.monotonic() - began < 60, "it waited for its own limit instead"
        writer.send_signal(signal.SIGCONT)
        assert "was stopped in the middle of writing" in writer.communicate("\n")[1]
        assert writer.returncode == 1


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_the_url_means_our_driver(name, monkeypatch):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"{name}://u@h/x")
    assert store.ledger_url().drivername == "postgresql+psycopg"


@only_postgresql
def test_what_a_role_was_set_to_does_not_weaken_a_commit(state, postgres):
    """Nor does it lead to tables of another schema, or have each delivery wait for a compiler."""
    for setting in ("synchronous_commit = off", "search_path = public", "lock_timeout = 0", "jit = on"):
        postgres.sql(f"ALTER ROLE awx SET {setting}")
    with store.writing(store.open_ledger()) as connection:
        shown = [connection.scalar(sa.text(f"SHOW {name}")) for name in ("synchronous_commit", "search_path", "jit")]
        assert shown == ["on", "stopgap,pg_temp", "off"]
        assert book.record(connection, [event()]) == 1
    postgres.sql("ALTER ROLE awx RESET ALL")


def test_waits_end_in_order():
    """A writer that hangs loses its session before those who wait for it give up, and they before the callback."""
    idle, lock = (
        int(SESSION[name].removesuffix("s")) for name in ("idle_in_transaction_session_timeout", "lock_timeout")
    )
    assert idle < lock < 120
