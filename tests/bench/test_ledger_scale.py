"""The ledger at the size of a large fleet. Ratios within one run decide; absolute figures are for orientation.

STOPGAP_BENCH_EVENTS (1,000,000; a hundredth as many hosts) and STOPGAP_BENCH_CASES (4,000,000) make a smaller run.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from tests.bench.ledger_fleet import runs
from tests.bench.table import Table
from tests.postgres import Server

from stopgap.ledger import schema, service, store
from stopgap.ledger.case import CLOSED
from stopgap.ledger.tables import cases, chains, events, machines

pytestmark = pytest.mark.bench

EVENTS = int(os.environ.get("STOPGAP_BENCH_EVENTS", "1000000"))
CASES = int(os.environ.get("STOPGAP_BENCH_CASES", "4000000"))
HOSTS = max(EVENTS // 100, 200)
HOSTS_OF_BACKLOG = 116_000
DEBT = 20_000
REPEATS = 5
COLD = 2000  # events
BACKENDS = ["sqlite", "postgresql"]
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "maintenance_work_mem": "256MB"}


@pytest.fixture(scope="module")
def server():
    """Durable, as a team's is: fsync costs here what it costs there."""
    with Server(durable=True, settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def table():
    told = Table(f"The ledger: {EVENTS:,} events over {HOSTS:,} hosts")
    yield told
    print(told)


# From a small process: a child's peak begins with that of the process it was forked from.
MEASURED = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run([sys.executable, *sys.argv[1:]])
seconds = time.perf_counter() - started
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, end="")
sys.exit(done.returncode)
"""


@dataclass
class Ledger:
    backend: str
    url: str
    state: Path

    @property
    def environment(self):
        return {**os.environ, "STOPGAP_STATE_DIR": str(self.state), "STOPGAP_LEDGER_URL": self.url}

    def run(self, *words):
        """(wall seconds, peak memory in MB, what it printed)"""
        command = [sys.executable, "-c", MEASURED, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=True)
        out, _, told = done.stdout.rpartition("\n")
        seconds, kilobytes = told.split()
        return float(seconds), int(kilobytes) / 1024, out

    def timed(self, *words, repeats=REPEATS):
        found = [self.run("-m", "stopgap", *words) for _ in range(repeats)]
        return statistics.median(one[0] for one in found), max(one[1] for one in found), found[-1][2]


def new_ledger(backend, server, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spool").mkdir(mode=0o700, exist_ok=True)
    if backend == "sqlite":
        return Ledger(backend, f"sqlite:///{folder}/ledger.sqlite", folder)
    url = server.url(server.create_database())
    schema.init(sa.make_url(url))
    return Ledger(backend, url, folder)


@contextlib.contextmanager
def chosen(ledger):
    """The environment of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STOPGAP_STATE_DIR", "STOPGAP_LEDGER_URL"):
            patch.setenv(name, ledger.environment[name])
        yield


@dataclass
class Raced:
    """A ledger that was filled run by run, and the seconds it took beside bare inserts of the same rows."""

    ledger: Ledger
    lines: int
    new: int
    ingest: float
    bare: float
    kept: float  # for the rows of cases, chains and machines that each run wrote as well


@pytest.fixture(scope="module", params=BACKENDS)
def filled(request, server, tmp_path_factory):
    """Run by run, first our delivery, then the same rows into a second database of the same schema, indexes, pragmas
    and transactions: both meet the machine in the same mood, and a database of the same size.
    """
    folder = tmp_path_factory.mktemp(request.param)
    ours = new_ledger(request.param, server, folder / "ours")
    theirs = new_ledger(request.param, server, folder / "theirs")
    return race(ours, theirs, EVENTS)


def race(ours, theirs, wanted):
    raced = Raced(ours, 0, 0, 0.0, 0.0, 0.0)
    with chosen(ours):
        own, other = store.open_ledger(), store.open_ledger(sa.make_url(theirs.url))
        for run in runs(wanted, HOSTS):
            (ours.state / "spool" / f"{run.name}.jsonl").write_bytes(b"".join(run.lines))
            started = time.perf_counter()
            (done,) = service.ingest(ours.state / "spool")
            raced.ingest += time.perf_counter() - started
            assert not done.bad
            raced.lines += done.events
            raced.new += done.new
            raced.bare += insert_bare(other, rows_of(own, run.name))
            raced.kept += sum(replace_bare(other, one, rows) for one, rows in kept_rows_of(own, run.name))
    return raced


def rows_of(engine, run):
    with store.reading(engine) as connection:
        return [dict(row) for row in connection.execute(sa.select(events).where(events.c.run == run)).mappings()]


def insert_bare(engine, rows):
    """SQLAlchemy's bulk insert, with all that is to be inserted made beforehand. Seconds."""
    started = time.perf_counter()
    if rows:
        with store.writing(engine) as connection:
            connection.execute(sa.insert(events), rows)
    return time.perf_counter() - started


def kept_rows_of(engine, run):
    """What ingest wrote of the hosts and cases that a run spoke of: (table, rows).

    A journal speaks of all cases of its host.
    """
    told = sa.select(events.c.host, events.c.remedy).where(events.c.run == run).distinct().subquery()
    of_case = sa.and_(cases.c.host == told.c.host, sa.or_(cases.c.remedy == told.c.remedy, told.c.remedy == ""))
    hosts = sa.select(told.c.host).distinct()
    with store.reading(engine) as connection:
        for one, query in (
            (cases, sa.select(cases).distinct().join(told, of_case)),
            (chains, sa.select(chains).where(chains.c.host.in_(hosts))),
            (machines, sa.select(machines).where(machines.c.host.in_(hosts))),
        ):
            yield one, [dict(row) for row in connection.execute(query).mappings()]


def replace_bare(engine, one, rows):
    """SQLAlchemy's bulk upsert. Seconds."""
    insert = (sqlite if engine.dialect.name == "sqlite" else postgresql).insert(one)
    newer = {column.name: insert.excluded[column.name] for column in one.c if not column.primary_key}
    upsert = insert.on_conflict_do_update(index_elements=list(one.primary_key), set_=newer)
    started = time.perf_counter()
    if rows:
        with store.writing(engine) as connection:
            connection.execute(upsert, rows)
    return time.perf_counter() - started


def test_ingest_keeps_a_third_of_the_speed_of_bare_inserts(filled, table):
    name = filled.ledger.backend
    table.figure(f"{name}: ingest", f"{filled.new / filled.ingest:,.0f} new events/s")
    table.figure(f"{name}: lines of spool files, known ones too", f"{filled.lines / filled.ingest:,.0f} lines/s")
    table.figure(
        f"{name}: bare bulk writes of the same rows", f"{filled.new / (filled.bare + filled.kept):,.0f} events/s"
    )
    table.ratio(f"{name}: ingest / bare writes", (filled.bare + filled.kept) / filled.ingest, least=1 / 3)
    table.ratio("   / bare inserts of the rows of events alone", filled.bare / filled.ingest, least=1 / 3)
    assert not table.failed, table.failed.pop()


def test_status_and_debt_answer_at_once_and_in_little_memory(filled, server, table, tmp_path):
    """Beside the same commands over a ledger of a twentieth of the size, which pay for starting up as well."""
    name = filled.ledger.backend
    small = new_ledger(name, server, tmp_path / "small")
    with chosen(small):
        for run in runs(max(EVENTS // 20, 1000), HOSTS):
            (small.state / "spool" / f"{run.name}.jsonl").write_bytes(b"".join(run.lines))
        list(service.ingest(small.state / "spool"))
    for words in (["status"], ["debt"], ["status", "--json"]):
        seconds, memory, out = filled.ledger.timed(*words, repeats=1 if "--json" in words else REPEATS)
        before, least, _ = small.timed(*words, repeats=1 if "--json" in words else REPEATS)
        what = f"{name}: stopgap {' '.join(words)}"
        told = "" if "--json" in words else f" ({out.splitlines()[-1]})"
        table.figure(f"{what}", f"{seconds:.2f} s, {memory:.0f} MB")
        table.figure("   of a twentieth as many events", f"{before:.2f} s, {least:.0f} MB")
        if told:
            table.figure(f"  {told}", "")
        table.ratio("   memory / that of a twentieth", memory / least, most=1.5)
    assert not table.failed, table.failed.pop()


def test_check_and_rebuild_hold_some_hosts_at_a_time(filled, table):
    name = filled.ledger.backend
    for word in ("check", "rebuild"):
        seconds, memory, _ = filled.ledger.run("-m", "stopgap.ledger", word)
        table.figure(f"{name}: stopgap ledger {word}", f"{seconds:.0f} s, {memory:.0f} MB")


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_file_of_any_size_is_delivered_in_bounded_memory(backend, server, table, tmp_path):
    memory = {}
    for size in (EVENTS // 20, EVENTS // 4):
        ledger = new_ledger(backend, server, tmp_path / str(size))
        with open(ledger.state / "spool" / "01a1ff3a-cf6e-7395-9742-248dd26742d3.jsonl", "wb") as file:
            for run in runs(size, HOSTS):
                file.writelines(run.lines)
        seconds, memory[size], out = ledger.run("-m", "stopgap.ledger", "ingest")
        table.figure(f"{backend}: one file of {json.loads(out)['deliveries'][0]['events']:,} lines", f"{seconds:.0f} s, {memory[size]:.0f} MB")  # fmt: skip  # noqa: E501
    small, large = memory.values()
    table.ratio(f"{backend}: memory of that / of one a fifth as large", large / small, most=1.5)
    assert not table.failed, table.failed.pop()


def test_what_a_cold_status_costs(table, tmp_path, monkeypatch):
    """Beside a bare interpreter, in turn. As installed: with bytecode of all that is imported."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    ledger = new_ledger("sqlite", None, tmp_path / "cold")
    with chosen(ledger):
        for run in runs(COLD, 20):
            (ledger.state / "spool" / f"{run.name}.jsonl").write_bytes(b"".join(run.lines))
        list(service.ingest(ledger.state / "spool"))
    for words in (["status"], ["debt"]):
        ledger.run("-m", "stopgap", *words)  # writes the bytecode
        pairs = [(ledger.run("-m", "stopgap", *words)[0], ledger.run("-c", "pass")[0]) for _ in range(15)]
        ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
        what = f"stopgap {' '.join(words)}, cold, of 20 hosts"
        table.figure(f"{what}; a bare interpreter", f"{ours * 1000:.0f} ms; {bare * 1000:.0f} ms")
        table.ratio("   / a bare interpreter", statistics.median(a / b for a, b in pairs), most=12)
    assert not table.failed, table.failed.pop()


# --- a backlog of millions -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backlog(server, tmp_path_factory):
    """A team's ledger, and two of its cases that became what they are by events: one closed, one owed."""
    ledger = new_ledger("postgresql", server, tmp_path_factory.mktemp("backlog"))
    with chosen(ledger):
        for run in runs(10_000, 500):
            (ledger.state / "spool" / f"{run.name}.jsonl").write_bytes(b"".join(run.lines))
        list(service.ingest(ledger.state / "spool"))
    engine = store.open_ledger(sa.make_url(ledger.url))
    with store.reading(engine) as connection:
        closed = connection.execute(sa.select(cases).where(cases.c.state.in_(CLOSED), cases.c.held == 0).limit(1))
        owed = connection.execute(sa.select(cases).where(cases.c.state.not_in(CLOSED), cases.c.held > 0).limit(1))
        like = {"closed": dict(closed.mappings().one()), "owed": dict(owed.mappings().one())}
    with engine.begin() as connection:
        connection.execute(sa.delete(cases))
    return ledger, engine, like


def fill(engine, like, first, last):
    """Rows first…last, made in the database after the one case: nobody could wait for the events of four million."""
    number = sa.func.generate_series(first, last - 1, type_=sa.Integer).column_valued("n")
    made = {
        "host": sa.literal("web") + sa.func.lpad(sa.cast(number % HOSTS_OF_BACKLOG, sa.Text), 6, "0"),
        "remedy": sa.literal("CVE-2026-") + sa.cast(1000 + number // HOSTS_OF_BACKLOG, sa.Text),
    }
    columns = [made.get(one.name, sa.literal(like[one.name], one.type)).label(one.name) for one in cases.c]
    with engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.execute(sa.insert(cases).from_select([one.name for one in cases.c], sa.select(*columns)))
        connection.commit()


def settle(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE stopgap.cases")
        connection.exec_driver_sql("CHECKPOINT")  # readers do not pay for what was just loaded


def test_debt_takes_as_long_as_there_is_debt_whatever_the_backlog(backlog, table):
    ledger, engine, like = backlog
    fill(engine, like["owed"], 0, DEBT)
    there, seconds, peaks = DEBT, {}, {}
    for size in (CASES // 8, CASES // 4, CASES):
        fill(engine, like["closed"], there, size)
        there = size
        settle(engine)
        found = [ledger.run("-m", "stopgap", "debt") for _ in range(REPEATS)]
        seconds[size], memory, out = min(found)  # other work on the machine only ever adds
        peaks[size] = max(one[1] for one in found)
        table.figure(f"{size:,} cases on {HOSTS_OF_BACKLOG:,} hosts: stopgap debt", f"{seconds[size]:.2f} s, {memory:.0f} MB")  # fmt: skip  # noqa: E501
        assert out.splitlines()[-1].startswith(f"debt {DEBT}")
    small, *_, large = seconds.values()
    table.ratio("debt, eight times as many cases / before", large / small, most=1.5)
    small, *_, large = peaks.values()
    table.ratio("its memory, eight times as many cases / before", large / small, most=1.5)
    assert "cases_with_debt" in plan(engine)
    assert "cases_with_debt" in plan(engine, "DECLARE here CURSOR FOR")  # as debt reads them
    status, memory, out = ledger.timed("status", repeats=1)
    table.figure(f"{CASES:,} cases: stopgap status", f"{status:.2f} s, {memory:.0f} MB")
    fill(engine, like["owed"], there, there + DEBT)
    settle(engine)
    twice, memory, _ = ledger.timed("debt")
    table.figure(f"twice the debt ({2 * DEBT:,}): stopgap debt", f"{twice:.2f} s, {memory:.0f} MB")
    assert not table.failed, table.failed.pop()


def plan(engine, read_as=""):
    with store.reading(engine) as connection:
        return "\n".join(connection.scalars(sa.text(f"EXPLAIN {read_as} SELECT * FROM cases WHERE held > 0")))
