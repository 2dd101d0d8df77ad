"""P3, from the spool to the ledger: killed at any moment, every event is in the ledger exactly once afterwards."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import raw_event

from stopgap.ledger import service, store

FILES, EVENTS = 25, 40
INGEST = [sys.executable, "-m", "stopgap.ledger", "ingest"]


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    folder = tmp_path / "state" / "spool"
    folder.mkdir(parents=True)
    return folder


def fill(spool):
    ids = set()
    for number in range(FILES):
        events = [raw_event(host=f"h{number}", remedy=f"CVE-{n}") for n in range(EVENTS)]
        (spool / f"{number:032x}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
        ids |= {one["id"] for one in events}
    return ids


def known_ids():
    with store.open_ledger().connect() as connection:
        return list(connection.scalars(sa.text("select id from events")))


def waiting_ids(spool):
    lines = [line for path in spool.glob("*.jsonl") for line in path.read_text().splitlines()]
    return {json.loads(line)["id"] for line in lines}


@pytest.mark.parametrize("seed", range(6))
def test_p03_kill_9_of_the_delivery_loses_nothing_and_doubles_nothing(spool, seed):
    written = fill(spool)
    moment = random.Random(seed)  # noqa: S311 - a moment to die
    for _ in range(4):
        with subprocess.Popen(INGEST, stdout=subprocess.DEVNULL) as process:
            if seed % 2:  # in the middle of the work, however slow the machine is
                wait_until_left(process, spool, len(list(spool.glob("*.jsonl"))) - 2)
            time.sleep(moment.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
        assert waiting_ids(spool) | set(known_ids()) == written

    subprocess.run(INGEST, check=True, stdout=subprocess.DEVNULL)
    assert sorted(known_ids()) == sorted(written)
    assert service.check() == []
    assert len(service.all_cases()) == FILES * EVENTS
    assert list(spool.iterdir()) == []


def wait_until_left(process, spool, files):
    """Until so few files are left, or the delivery has ended by itself."""
    while len(list(spool.glob("*.jsonl"))) > files and process.poll() is None:
        time.sleep(0.005)


def test_p03_events_wait_while_the_database_is_away(spool, monkeypatch):
    written = fill(spool)
    with monkeypatch.context() as away:
        away.setenv("STOPGAP_LEDGER_URL", "sqlite:////proc/none/ledger.sqlite")
        assert subprocess.run(INGEST, check=False, capture_output=True).returncode == 1
    assert waiting_ids(spool) == written
    subprocess.run(INGEST, check=True, stdout=subprocess.DEVNULL)
    assert set(known_ids()) == written
