"""No space, on a file system small enough to fill: told, nothing torn beyond one line, and the next run delivers.

What a play does then is asked of real plays on lab hosts, see the fault "state folder full" of table.py.
"""

import json
import subprocess
import sys

import pytest
import sqlalchemy as sa

from stopgap.ledger import service, store
from tests.faults import chains, disks
from tests.unit.ledger.makers import RUN, event_id, raw_event

pytestmark = pytest.mark.lab  # it mounts: root is needed, as for lab hosts
INGEST = [sys.executable, "-m", "stopgap.ledger", "ingest"]
EVENTS = 60
# SQLite's own words for it, the last where its -shm file could not grow; then ours with the way out
FULL = ("database or disk is full", "No space left", "disk I/O error; look at the filesystem it is on")


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    disks.mount(folder, "4m")
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(folder))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    (folder / "spool").mkdir()
    try:
        yield folder
    finally:
        disks.unmount(folder)


def write_spool(state, first=0):
    events = [raw_event(id=event_id(first + n), host=f"h{n % 5}", remedy=f"CVE-{n}") for n in range(EVENTS)]
    path = state / "spool" / f"{RUN[:-3]}{first:03d}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return {one["id"] for one in events}, path


def ingest():
    return subprocess.run(INGEST, capture_output=True, text=True, check=False, timeout=60)


def known():
    with store.reading(store.open_ledger()) as connection:
        assert chains.broken(connection) == []
        return list(connection.scalars(sa.text("SELECT id FROM events")))


@pytest.mark.parametrize("pages", [0, 12])
@pytest.mark.parametrize("there", [False, True], ids=["no ledger yet", "a ledger"])
def test_a_ledger_without_space_keeps_the_spool(state, there, pages):
    before, _ = write_spool(state, first=500)
    if there:
        assert ingest().returncode == 0
    written, path = write_spool(state)
    disks.fill(state, pages_left=pages)
    done = ingest()
    assert (done.returncode, done.stdout) == (1, "")
    assert any(why in done.stderr for why in FULL), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert path.exists()

    disks.make_room(state)
    assert ingest().returncode == 0
    assert sorted(known()) == sorted(written | before)
    assert service.check() == []
    assert list((state / "spool").iterdir()) == []


def test_a_line_that_cannot_be_put_aside_keeps_its_file(state):
    """Nowhere to write what was wrong: then it is not yet time to remove where it stands."""
    path = state / "spool" / f"{RUN}.jsonl"
    path.write_text(json.dumps(raw_event()) + "\n" + '{"id": "cut' + "\n")
    disks.fill(state, pages_left=0)
    done = ingest()
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert path.exists()
    disks.make_room(state)
    done = ingest()
    assert done.returncode == 0
    assert "line 2: not JSON" in done.stderr
    assert len(known()) == 1
    assert [left.name for left in (state / "spool").iterdir()] == ["bad"]


def test_a_spool_without_space_loses_the_line_that_did_not_fit_and_says_so(state):
    """As the callback writes it: what did not fit is told, what comes once there is room is whole."""
    from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import SpoolFile

    spool = SpoolFile(str(state / "spool"), RUN)
    events = [raw_event(id=event_id(n), reason="x" * 900) for n in range(12)]
    spool.write(events[0])
    disks.fill(state, pages_left=1)
    refused = [one["id"] for one in events[1:9] if not fits(spool, one)]
    assert refused, "there was space for all"
    disks.make_room(state)
    for one in events[9:]:
        spool.write(one)
    spool.close()
    done = ingest()
    assert done.returncode == 0
    assert set(known()) == {one["id"] for one in events} - set(refused)
    assert done.stderr.count("not JSON") <= len(refused)


def fits(spool, event):
    try:
        spool.write(event)
    except OSError:
        return False
    return True
