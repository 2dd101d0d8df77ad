"""Work beside our own, in a second process: Python computes on one core only."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn


def can_fork() -> bool:
    """There is a core to spare, and no thread that may hold a lock which nobody would release in the copy."""
    return len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


@contextmanager
def beside(work: Callable[[], bytes]) -> Iterator[Callable[[], bytes | None]]:
    """`work` runs in a copy of this process. What is given waits for what it made: None where it did not get there.

    The copy has our memory as it is now, and must not touch our files and connections.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _work(work, writing)
    os.close(writing)
    pipe = open(reading, "rb")  # noqa: SIM115 - closed below
    status: list[int] = []

    def result() -> bytes | None:
        made = pipe.read()
        status.append(os.waitpid(child, 0)[1])
        return made if status[0] == 0 else None

    try:
        yield result
    finally:
        pipe.close()  # should nobody have asked, it cannot write, and ends
        if not status:
            os.waitpid(child, 0)


def _work(work: Callable[[], bytes], writing: int) -> NoReturn:
    """Ends without all that Python does at an end: exit handlers and open connections are not ours."""
    try:
        with open(writing, "wb") as pipe:
            pipe.write(work())
    except BaseException:
        os._exit(1)
    os._exit(0)
