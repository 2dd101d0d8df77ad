"""One scheduled recheck at a time: the next one finds the lock held and leaves the work to it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.paths import state_dir

NAME = "recheck.lock"


@contextmanager
def alone() -> Iterator[bool]:
    """False where another one is under way with this state folder. The kernel lets go of the lock of who was killed.

    Raises LedgerUnavailable where nobody may write there.
    """
    folder = state_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerUnavailable(f"{folder / NAME}: {error.strerror}: STOPGAP_STATE_DIR names the folder") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        yield False
        return
    try:
        yield True
    finally:
        os.close(handle)
