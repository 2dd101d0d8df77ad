"""Ways to die at any moment: before and after each change that a process makes.

Standard library only: lab hosts run it too.
"""

import builtins
import contextlib
import fcntl
import io
import itertools
import os
import signal
import subprocess

CHANGING = (
    *("open", "replace", "rename", "link", "symlink", "unlink", "mkdir", "rmdir", "truncate", "ftruncate", "fsync"),
    *("chmod", "chown", "utime", "setxattr", "removexattr"),
)
ELSEWHERE = ((builtins, "open"), (io, "open"), (fcntl, "ioctl"))


class Crash(BaseException):
    """Like being killed, for a test that wants to live on: no `except` of the code under test may see it."""


def crash():
    raise Crash


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(moment, act, **options):
    """Run `act` in a child that kill -9s itself at its `moment`-th moment; False: it ended before."""
    child = os.fork()
    if child == 0:
        try:
            with armed(moment, kill, **options):
                act()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def crashed_at(moment, act, **options):
    """The same without a child: from that moment on, every further change is a crash too."""
    try:
        with armed(moment, crash, **options):
            act()
    except Crash:
        return True
    return False


def changes(function, args):
    """Is this call a change? Every command is, and opening is one where it is for writing to a file with a name."""
    if function.__name__ != "open":
        return True
    if len(args) < 2 or isinstance(args[0], int) or os.path.isdir(args[0]):
        return False
    if isinstance(args[1], str):
        return any(letter in args[1] for letter in "wax+")
    return bool(args[1] & (os.O_WRONLY | os.O_RDWR))


@contextlib.contextmanager
def armed(moment, die, counts=changes):
    """`die` is called at the `moment`-th moment and at all that come after it."""
    clock = itertools.count(1)

    def tick():
        if next(clock) >= moment:
            die()

    places = [(os, name) for name in CHANGING] + list(ELSEWHERE)
    kept = [(module, name, getattr(module, name)) for module, name in places] + [
        (subprocess, "Popen", subprocess.Popen)
    ]
    for module, name, function in kept[:-1]:
        setattr(module, name, around(function, tick, counts))
    subprocess.Popen = started(subprocess.Popen, tick, counts)
    try:
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def around(function, tick, counts):
    def call(*args, **kwargs):
        if not counts(function, args):
            return function(*args, **kwargs)
        tick()
        answer = function(*args, **kwargs)
        try:
            tick()
        except Crash:
            if function.__name__ == "open":
                close(answer)  # as the end of a process does
            raise
        return answer

    return call


def close(opened):
    os.close(opened) if isinstance(opened, int) else opened.close()


def started(popen, tick, counts):
    """A command has three moments: before it starts, when it has just started, and when it has ended."""

    def start(*args, **kwargs):
        if not counts(popen, args):
            return popen(*args, **kwargs)
        tick()
        child = popen(*args, **kwargs)
        try:
            tick()
        except Crash:
            with child:  # the killed one's child lives on; a test that lives on must not leave it about
                raise
        child.wait = ended(child.wait, tick)
        return child

    return start


def ended(wait, tick):
    def call(*args, **kwargs):
        answer = wait(*args, **kwargs)
        tick()
        return answer

    return call
