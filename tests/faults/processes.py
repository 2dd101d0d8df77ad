"""The processes of this machine, as /proc shows them: whom a fault strikes."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")


def parents() -> dict[int, int]:
    """{process: its parent}."""
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (stat := _read(folder / "stat")):
            found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def tree(top: int) -> list[int]:
    """`top` and all that it started, parents first, whatever sessions and groups they moved to."""
    children: dict[int, list[int]] = {}
    for process, parent in parents().items():
        children.setdefault(parent, []).append(process)
    found = [top]
    for process in found:
        found += children.get(process, [])
    return found


def words(process: int) -> str:
    """Its command line; "" when it is gone or a zombie."""
    return _read(PROC / str(process) / "cmdline").replace("\0", " ")


def find(top: int, text: str) -> list[int]:
    return [process for process in tree(top) if text in words(process)]


def wait_until_open(process: int, names: Sequence[str]) -> bool:
    """Whether it came to have something of such a name open; not when it ended before, or takes more than a second."""
    end = time.monotonic() + 1
    while words(process) and time.monotonic() < end:
        if any(name in one for one in _open(process) for name in names):
            return True
    return False


def _open(process: int) -> list[str]:
    """Paths, or socket:[…]."""
    try:
        return [str(one.readlink()) for one in (PROC / str(process) / "fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):  # closed in between, or gone
        return []


def send(number: signal.Signals, processes: list[int]) -> int:
    """Returns how many were still there to get it."""
    reached = 0
    for process in processes:
        try:
            os.kill(process, number)
            reached += 1
        except ProcessLookupError:
            continue
    return reached


def describe(top: int) -> str:
    """What each of the tree waits for: its state and where in the kernel, a line a process."""
    lines = []
    for process in tree(top):
        state = _read(PROC / str(process) / "stat").rpartition(") ")[2][:1]
        lines.append(f"{process} {state} {_read(PROC / str(process) / 'wchan') or '-'} {words(process)[:200]}")
    return "\n".join(lines)


def waits_for_a_lock(top: int, text: str) -> bool:
    """Whether any of the tree with such a command line does: for a semaphore that all of them share, or a thread."""
    return any("futex" in _read(PROC / str(process) / "wchan") for process in find(top, text))


def end(top: int) -> None:
    """kill -9 of a whole tree. Stopped first, so that nobody starts another while the list is made."""
    send(signal.SIGSTOP, tree(top))
    send(signal.SIGKILL, tree(top))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
