"""32 writers at once on each backend: nothing lost, nothing twice, chains whole, cases as their events say.

The writers are real processes. Where the ingest is what a play starts, it is `python -m stopgap.ledger ingest`; where
half a second of imports each would hide the crowd (it would come one after the other), 32 forks of one process that
has them already, all let go at the same moment, call the same service.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from tests.faults import chains
from tests.unit.ledger.makers import event_id, moment, only_sqlite, raw_event

from stopgap.ledger import service, store
from stopgap.ledger.errors import LedgerUnavailable

WRITERS, FOLDERS, FILES, EVENTS = 32, 8, 6, 25
HOSTS, REMEDIES = 7, 11
INGEST = [sys.executable, "-m", "stopgap.ledger", "ingest"]
FORK = multiprocessing.get_context("fork")


def one_event(number):
    """The n-th event, the same whoever tells it: hosts and remedies are shared by all files."""
    about = {"host": f"h{number % HOSTS}", "remedy": f"CVE-{number % REMEDIES}"}
    facts = [
        {"kind": "assessed", "verdict": "exposed", "evidence": {"code": "below_fixed"}},
        {"kind": "mitigation", "verdict": "intended", "evidence": {"entry": f"E{number}", "step": 0}},
        {"kind": "mitigation", "verdict": "applied", "evidence": {"entry": f"E{number - 1}", "step": 1}},
        {"kind": "verified", "verdict": "pass", "evidence": {"phase": "mitigation", "entry": f"E{number - 2}"}},
    ]
    return raw_event(id=event_id(900_000 + number), at=moment(number % 600), **about, **facts[number % len(facts)])


def fill(folder, first):
    """Files that overlap: each begins in the middle of the one before. Returns the ids in them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ids = set()
    for number in range(FILES):
        events = [one_event(first + number * EVENTS // 2 + n) for n in range(EVENTS)]
        text = "".join(json.dumps(one) + "\n" for one in events)
        (folder / f"{first + number:032x}.jsonl").write_text(text)
        ids |= {one["id"] for one in events}
    return ids


def fill_folders(state, count=FOLDERS):
    """Folders that overlap too: half of what a folder tells, its neighbour tells as well."""
    folders = [state / f"spool{number}" for number in range(count)]
    ids = [fill(folder, number * FILES * EVENTS // 4) for number, folder in enumerate(folders)]
    assert sum(map(len, ids)) > len(set().union(*ids)), "the spools do not overlap"
    return folders, set().union(*ids)


def deliver_in_a_crowd(folders):
    """WRITERS forks, several a folder, let go together. Returns their exit codes."""
    gate = FORK.Barrier(WRITERS)

    def write(folder):
        gate.wait()
        list(service.ingest(folder))

    crowd = [
        FORK.Process(target=write, args=(folders[number % len(folders)],), daemon=True) for number in range(WRITERS)
    ]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(120)
    return [process.exitcode for process in crowd]


def agreed(written, folders):
    with store.reading(store.open_ledger()) as connection:
        assert sorted(connection.scalars(sa.text("SELECT id FROM events"))) == sorted(written)
        assert chains.broken(connection) == []
    assert service.check() == []
    assert [path for folder in folders for path in folder.iterdir()] == []


def test_32_writers_of_overlapping_spools(state):
    folders, written = fill_folders(state)
    store.open_ledger().dispose()  # who makes the tables is another test's question
    assert deliver_in_a_crowd(folders) == [0] * WRITERS
    agreed(written, folders)


@only_sqlite  # on PostgreSQL it is there before anybody writes: the test above
def test_32_writers_make_the_ledger_they_write(state):
    """Nobody opened it before: the first of them makes the tables."""
    folders, written = fill_folders(state)
    assert deliver_in_a_crowd(folders) == [0] * WRITERS
    agreed(written, folders)


def test_writers_killed_on_the_way(state):
    """Real ingests, some killed once files begin to go: another run, and the books are the same."""
    folders, written = fill_folders(state, 4)
    crowd = [start(folder) for folder in folders]
    before = len(files(folders))
    until(lambda: len(files(folders)) < before - 3 or all(one.poll() is not None for one in crowd))
    for process in crowd[::2]:
        process.send_signal(signal.SIGKILL)
    codes = [process.wait() for process in crowd]
    assert -signal.SIGKILL in codes, "nobody was killed in time"
    assert set(codes) <= {0, -signal.SIGKILL}
    for folder in folders:
        list(service.ingest(folder))
    agreed(written, folders)


def test_a_writer_stopped_with_the_pen_keeps_the_others_out_not_for_ever(state, monkeypatch):
    """The others say so and leave the spool; once it goes on everything is delivered."""
    folders, written = fill_folders(state)
    list(service.ingest(folders[0]))
    shorten_waits(monkeypatch)
    with holding_the_pen(folders[1]) as holder:
        waiting = files(folders[2:])
        with pytest.raises(LedgerUnavailable, match="lock"):
            list(service.ingest(folders[2]))
        assert files(folders[2:]) == waiting
        os.kill(holder.pid, signal.SIGCONT)
        holder.join(60)
        assert holder.exitcode == 0
    for folder in folders:
        list(service.ingest(folder))
    agreed(written, folders)


def test_a_writer_that_dies_with_the_pen_gives_it_back(state):
    folders, written = fill_folders(state)
    list(service.ingest(folders[0]))
    with holding_the_pen(folders[1]):
        pass
    for folder in folders:
        list(service.ingest(folder))
    agreed(written, folders)


@contextmanager
def holding_the_pen(folder):
    """A writer stopped inside its transaction; killed at the end."""
    holder = FORK.Process(target=hold_the_pen, args=(folder,), daemon=True)
    holder.start()
    try:
        until(lambda: is_stopped(holder.pid))
        yield holder
    finally:
        holder.kill()
        holder.join()


def hold_the_pen(folder):
    """Stop once, between having written and the end of the transaction."""
    from stopgap.ledger import book

    real = book.record_news

    def record_and_stop(*given):
        book.record_news = real
        new = real(*given)
        os.kill(os.getpid(), signal.SIGSTOP)
        return new

    book.record_news = record_and_stop
    list(service.ingest(folder))


def shorten_waits(monkeypatch):
    """A second, where a play waits for half a minute and more."""
    monkeypatch.setattr("stopgap.ledger.sqlite.BUSY_SECONDS", 1)
    url = os.environ.get("STOPGAP_LEDGER_URL", "")
    if url:
        monkeypatch.setenv("STOPGAP_LEDGER_URL", f"{url}&options=-c%20lock_timeout%3D1s")


def is_stopped(process):
    with open(f"/proc/{process}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def start(folder):
    return subprocess.Popen([*INGEST, "--spool", str(folder)], stdout=subprocess.DEVNULL)


def files(folders):
    return sorted(path for folder in folders for path in folder.glob("*.jsonl"))


def until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
