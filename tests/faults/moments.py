"""When a fault strikes: after something was seen to happen. In three of them time decides: `clock`, `delivery` and
`transaction`."""

import signal
import time
from collections.abc import Callable

from tests.faults import processes
from tests.faults.scene import Scene

DELIVERY = "ledger ingest"  # in the command line of whoever delivers a spool
LEDGERS = ("/ledger.sqlite", "socket:")  # in what it has open; PostgreSQL's is the only socket


def _task(scene: Scene, count: int) -> bool:
    """The n-th task was announced."""
    return scene.printed is not None and scene.printed.read_bytes().count(b"\nTASK [") >= count


def _entry(scene: Scene, count: int) -> bool:
    """The n-th new journal entry of all hosts was opened: the intent is on disk."""
    return scene.count_entries() >= scene.entries_before + count


def _change(scene: Scene, count: int) -> bool:
    """The n-th file of a mitigation came or went on a host."""
    return len(scene.files_of_ours() ^ scene.files_before) >= count


def _spool(scene: Scene, count: int) -> bool:
    """The n-th line of this run is in the spool."""
    return scene.laptop.spooled_lines() >= scene.spooled_before + count


def _delivery(scene: Scene, count: int) -> bool:
    """So many milliseconds after the process that delivers was seen."""
    if not scene.delivery_seen and processes.find(scene.pid, DELIVERY):
        scene.delivery_seen = time.monotonic()
    return bool(scene.delivery_seen) and time.monotonic() >= scene.delivery_seen + count / 1000


def _transaction(scene: Scene, count: int) -> bool:
    """So many tenths of a millisecond after the process that delivers opened the ledger. There it is stopped: to look
    at the hosts and strike takes longer than the rest of its work.
    """
    for process in processes.find(scene.pid, DELIVERY):
        if processes.wait_until_open(process, LEDGERS):
            time.sleep(count / 10_000)
            return bool(processes.send(signal.SIGSTOP, [process]))
    return False


def _clock(scene: Scene, count: int) -> bool:
    """So many milliseconds after the command was started."""
    return time.monotonic() >= scene.began + count / 1000


START = "start"  # before the command starts

# moment -> how it is seen, and from where to where its count is drawn (0: to as many as the command may reach)
MOMENTS: dict[str, tuple[Callable[[Scene, int], bool], int, int]] = {
    "task": (_task, 1, 4),
    "entry": (_entry, 1, 0),
    "change": (_change, 1, 0),
    "spool": (_spool, 1, 0),
    "delivery": (_delivery, 0, 400),
    "transaction": (_transaction, 0, 150),
    "clock": (_clock, 200, 4000),
}
