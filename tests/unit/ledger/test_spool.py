"""From the spool to the ledger: idempotent, one bad line costs one line, a live file is left alone."""

import fcntl
import json
import subprocess
import sys

import pytest
from tests.typed import ingest, stopgap
from tests.unit.ledger.makers import RUN, only_sqlite, raw_event

from stopgap.ledger import service
from stopgap.ledger.errors import LedgerUnavailable


def write(spool, *events, name=RUN, end="\n"):
    path = spool / f"{name}.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in events) + end)
    return path


def test_delivered_and_gone(spool):
    path = write(spool, raw_event(host="a"), raw_event(host="b"))
    done = ingest()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["new"] == 2
    assert not path.exists()
    assert list(spool.iterdir()) == []
    assert [case.host for case in service.all_cases()] == ["a", "b"]


def test_delivered_twice_is_delivered_once(spool):
    events = [raw_event(), raw_event(kind="patch", verdict="installed", evidence={})]
    write(spool, *events)
    list(service.ingest(spool))
    write(spool, *events, *events)
    assert [(one.events, one.new) for one in service.ingest(spool)] == [(4, 0)]
    assert service.check() == []


def test_a_cut_line_costs_that_line_and_says_so(spool):
    write(spool, raw_event(host="a"), raw_event(host="b"), end="")
    path = spool / f"{RUN}.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    done = ingest()
    assert done.returncode == 0
    assert "line 2: cut in the middle" in done.stderr
    assert [case.host for case in service.all_cases()] == ["a"]


@only_sqlite
def test_a_last_line_without_its_end_is_taken_when_whole(spool):
    write(spool, raw_event(host="a"), end="")
    assert ingest().stderr == ""
    assert [case.host for case in service.all_cases()] == ["a"]


@only_sqlite
def test_bad_lines_are_put_aside_with_their_reason(spool):
    path = write(spool, raw_event(host="a"), raw_event(verdict="\x1b[2Jhacked"), raw_event(host="c"))
    done = ingest()
    assert "line 2: kind 'assessed' with verdict" in done.stderr
    assert "\x1b" not in done.stderr
    aside = [json.loads(line) for line in (spool / "bad" / path.name).read_text().splitlines()]
    assert [one["line"] for one in aside] == [2]
    assert "hacked" in aside[0]["text"]
    assert [case.host for case in service.all_cases()] == ["a", "c"]


@only_sqlite
def test_a_file_being_written_is_left_alone(spool):
    path = write(spool, raw_event())
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        assert list(service.ingest(spool)) == []
        assert path.exists()
        process.kill()
    assert [one.new for one in service.ingest(spool)] == [1]


@only_sqlite
def test_somebody_else_s_delivery_is_not_repeated_nor_broken(spool, monkeypatch):
    path = write(spool, raw_event())
    real = fcntl.lockf

    def delivered_meanwhile(file, operation):
        path.unlink()
        real(file, operation)

    monkeypatch.setattr("stopgap.ledger.spool.fcntl.lockf", delivered_meanwhile)
    assert list(service.ingest(spool)) == []


@only_sqlite
def test_database_away_keeps_the_spool(spool, monkeypatch):
    path = write(spool, raw_event())
    monkeypatch.setenv("STOPGAP_LEDGER_URL", "sqlite:////proc/none/ledger.sqlite")
    done = ingest()
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "/proc/none" in done.stderr
    assert path.exists()


@only_sqlite
def test_a_failing_transaction_keeps_the_spool(spool, state):
    path = write(spool, raw_event())
    list(service.ingest(spool))
    path = write(spool, raw_event(host="b"))
    (state / "ledger.sqlite").write_bytes(b"torn " * 2000)
    (state / "ledger.sqlite-wal").unlink(missing_ok=True)
    with pytest.raises(LedgerUnavailable):
        list(service.ingest(spool))
    assert path.exists()


def test_leftovers_of_a_killed_delivery_are_swept(spool):
    (spool / f"{RUN}.jsonl.delivered").write_text("{}")
    write(spool, raw_event(), name="02a1ff3a-cf6e-7395-9742-248dd26742d3")
    list(service.ingest(spool))
    assert list(spool.iterdir()) == []


def test_several_deliveries_at_once(spool):
    for number in range(12):
        write(spool, *(raw_event(host=f"h{number % 3}", remedy=f"CVE-{n}") for n in range(5)), name=f"{number:032x}")
    command = [sys.executable, "-m", "stopgap.ledger", "ingest"]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [json.loads(process.communicate()[0]) for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 4
    assert sum(one["new"] for one in told) == 60
    assert len(service.all_cases()) == 15
    assert service.check() == []
    assert list(spool.iterdir()) == []


def test_no_spool_no_work(state):
    done = ingest()
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 0)
    assert not state.exists()


def shut(path):
    """As another user's file is to whoever is not root: here nobody may open it, root neither."""
    path.unlink()
    path.mkdir()
    return path


@only_sqlite
def test_a_file_that_cannot_be_opened_keeps_no_other_from_the_ledger(spool):
    foreign = shut(write(spool, raw_event(host="a"), name="0-of-root"))
    own = write(spool, raw_event(host="b"))
    done = stopgap("ledger", "ingest")
    assert done.returncode == 1
    assert f"stopgap: {foreign} cannot be delivered: Is a directory" in done.stderr
    assert f"{own.name}: 1 new of 1 events" in done.stdout
    assert (foreign.exists(), own.exists()) == (True, False)
    assert [case.host for case in service.all_cases()] == ["b"]


@only_sqlite
def test_a_play_is_told_of_such_a_file_and_its_own_is_delivered(spool):
    foreign = shut(write(spool, raw_event(host="a"), name="0-of-root"))
    write(spool, raw_event(host="b"))
    done = ingest()
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 1)
    assert str(foreign) in done.stderr


@only_sqlite
def test_a_gate_is_unsure_where_a_file_cannot_be_opened(spool):
    write(spool, raw_event(host="b"))
    list(service.ingest(spool))
    assert stopgap("debt", "--fail-on", "any").returncode == 0
    shut(write(spool, raw_event(host="a"), name="0-of-root"))
    assert stopgap("debt", "--fail-on", "any").returncode == 3


@only_sqlite
def test_a_spool_that_cannot_be_read_is_not_an_empty_one(spool):
    write(spool, raw_event(host="b"))
    list(service.ingest(spool))
    spool.rmdir()
    spool.write_text("no folder")
    done = stopgap("ledger", "ingest")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"stopgap: the spool {spool} cannot be read" in done.stderr
    gate = stopgap("debt", "--fail-on", "any")
    assert gate.returncode == 3
    assert "what plays left there is not in the ledger" in gate.stderr


@only_sqlite
def test_a_delivered_file_that_cannot_be_removed_is_told(spool):
    path = write(spool, raw_event(host="b"))
    path.with_name(path.name + ".delivered").mkdir()
    done = stopgap("ledger", "ingest")
    assert done.returncode == 1
    assert "is in the ledger, and cannot be removed" in done.stderr
    assert "1 new of 1 events" in done.stdout
    assert path.exists()


@only_sqlite
def test_a_file_without_its_name_yet_is_the_play_s(spool):
    hidden = write(spool, name=f".{RUN}", end="")
    assert json.loads(ingest().stdout)["deliveries"] == []
    assert hidden.exists()
