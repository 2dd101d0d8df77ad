"""A machine whose clock was a year ahead, with a real clock moved for one process: its word counts in its place."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.ledger.makers import only_sqlite, raw_event

from stopgap.ledger import service
from stopgap.ledger.events import spelled

AHEAD = "0a1ff3a0-cf6e-7395-9742-000000000001"
INGEST = [sys.executable, "-m", "stopgap.ledger", "ingest"]


@pytest.fixture
def faketime():
    found = shutil.which("faketime")
    if not found:
        pytest.fail("faketime is not installed: tests/faults/setup.sh does it", pytrace=False)
    return found


def ingest(spool, event, *before):
    (spool / "x.jsonl").write_text(json.dumps(event) + "\n")
    environ = os.environ | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return subprocess.run([*before, *INGEST], env=environ, capture_output=True, text=True, check=True)


@only_sqlite
def test_a_clock_a_year_ahead_is_told_when_it_is_right_again(spool, faketime):
    now = datetime.now(UTC)
    later = spelled(now + timedelta(days=365))
    done = ingest(spool, raw_event(verdict="not_affected", at=later, run=AHEAD), faketime, "-f", "+365d")
    assert done.stderr == ""  # it has no other clock to compare with
    assert [one.state for one in service.all_cases()] == ["not_affected"]

    done = ingest(spool, raw_event(host="web2", at=spelled(now)))
    assert f"the clock of run {AHEAD} was" in done.stderr
    assert json.loads(done.stdout)["deliveries"][0]["warnings"][0] == done.stderr.strip()

    done = ingest(spool, raw_event(at=spelled(datetime.now(UTC))))
    assert done.stderr == ""
    case = service.all_cases(host="web1")[0]
    assert case.state == "exposed"
    assert case.since <= spelled(datetime.now(UTC))
    assert service.check() == []


def test_a_controller_ahead_of_its_ledger_is_told_at_once(spool):
    """On PostgreSQL the server's clock is the one that counts; on SQLite it is this machine's."""
    now = datetime.now(UTC)
    done = ingest(spool, raw_event(verdict="not_affected", at=spelled(now + timedelta(days=365)), run=AHEAD))
    assert f"the clock of run {AHEAD} was 31" in done.stderr
    done = ingest(spool, raw_event(at=spelled(datetime.now(UTC))))
    assert done.stderr == ""
    (case,) = service.all_cases()
    assert (case.state, case.since <= spelled(datetime.now(UTC))) == ("exposed", True)


def test_a_play_that_goes_by_an_old_catalogue_is_told(spool):
    known = raw_event(kind="remedy", verdict="known", estate="", host="", evidence={}, revision=2)
    assert ingest(spool, known).stderr == ""
    done = ingest(spool, raw_event(revision=1))
    assert "CVE-1: this play went by revision 1, the ledger knows revision 2" in done.stderr
    assert ingest(spool, raw_event(revision=2)).stderr == ""
