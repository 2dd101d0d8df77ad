"""SQLite's side of opening a ledger: one file, closed to others, safe on disk when a transaction ends."""

import errno
import os
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

BUSY_SECONDS = 30


def path_of(url: sa.URL) -> Path | None:
    """None for another backend, and in memory."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def make_file(path: Path) -> None:
    """Created closed to others before SQLite opens it; its -wal and -shm files take over the mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))  # /dev/null would be closed to all others
        os.fchmod(file, 0o600)
    finally:
        os.close(file)


def engine(url: sa.URL) -> sa.Engine:
    found = sa.create_engine(url, poolclass=NullPool)
    event.listen(found, "connect", _prepare)
    return found


def _prepare(connection: Any, _record: object) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # the spool file is removed right after the commit
