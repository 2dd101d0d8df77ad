# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Waiting for the package locks, and saying who holds them."""

import fcntl
import os
import struct
import time

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")
FLOCK = "hhqqi"  # struct flock: type, whence, start, length, pid
POLL_SECONDS = 0.5


def wait(deadline, paths=LOCKS, pid_files=()):
    """Whole seconds left when no lock is held any more; InstallError names the holder when the deadline passes."""
    while True:
        left = deadline - time.monotonic()
        holders = [(path, holder(path)) for path in paths] + [(path, writer(path)) for path in pid_files]
        held = next(((path, pid) for path, pid in holders if pid is not None), None)
        if held is None:
            return max(0, int(left))
        if left <= 0:
            raise InstallError("lock_timeout", f"{held[0]} is still held by {describe(held[1])}", clean=True)
        time.sleep(min(POLL_SECONDS, left))


def writer(path):
    """The process whose id is in a file that serves as a lock, while that process lives."""
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            pid = handle.read().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Surprise(f"cannot look at {path}: {error.strerror} (is become on?)")
    return int(pid) if pid.isdigit() and os.path.exists(f"/proc/{pid}") else None


def holder(path):
    """The process id that holds a lock, 0 for one we cannot see, None for a free lock."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Surprise(f"cannot look at {path}: {error.strerror} (is become on?)")
    try:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _whence, _start, _length, pid = struct.unpack(
            FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked)[: len(asked)]
        )
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else max(pid, 0)


def describe(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as handle:
            return f"process {pid} ({handle.read().strip()})"
    except OSError:
        return f"process {pid}" if pid else "a process outside this host's view"
