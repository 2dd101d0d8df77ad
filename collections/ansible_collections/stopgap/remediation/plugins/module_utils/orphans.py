# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A command outlives the run that started it, where that run is killed. The next run has to wait for its end.

Each command writes its process id and that process's start time into a file before it begins, so there is no moment
in which it runs unknown. Ids are used again; an id with a start time is not.
"""

import contextlib
import os

WIDTH = 64
_noted_in = None  # of this process, as long as it holds the journal's lock


@contextlib.contextmanager
def noted(handle):
    """Commands started meanwhile are noted in the file of this open handle."""
    global _noted_in
    _noted_in = handle
    try:
        yield
    finally:
        _noted_in = None


def note():
    """In the new process, before it becomes the command."""
    if _noted_in is not None:
        pid = os.getpid()
        os.pwrite(_noted_in, ("%d %s" % (pid, started(pid))).ljust(WIDTH).encode("ascii"), 0)


def alive(handle):
    """(process id, its command line) of the command noted there, if it still runs, else None."""
    pid, _space, moment = os.pread(handle, WIDTH, 0).decode("ascii", "replace").strip().partition(" ")
    if not pid.isdigit() or started(pid) != moment:
        return None
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as stream:
            return pid, stream.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return None


def started(pid):
    """When a process started, in ticks since boot, or None if it has ended."""
    try:
        with open("/proc/%s/stat" % pid, errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()  # the name before may hold anything
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
