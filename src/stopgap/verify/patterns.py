"""A remedy's pattern on what hosts say.

That can make a harmless pattern take hours (`^\\s*x` on blank lines), and all threads wait meanwhile: so long texts
are searched by processes of their own, which end themselves. One that has answered takes the next text.
"""

import atexit
import json
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, cast

from stopgap.verify.errors import CommandTimeout, Surprise
from stopgap.verify.verdict import clean

LONG = 16 * 1024  # characters; in shorter ones the worst that is likely takes a second
SECONDS = 10.0
SHOWN = 100
# Not even Python hears of the alarm: it ends the process, also amid a search. Without us it has no more to read.
PROGRAM = """
import json, re, resource, signal, sys
most = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (min(1 << 31, most) if most >= 0 else 1 << 31, most))
signal.signal(signal.SIGALRM, signal.SIG_DFL)
for line in sys.stdin:
    seconds, pattern, texts = json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    found = None
    try:
        found = [re.search(pattern, text, re.MULTILINE) for text in texts]
        answer = [match and match[0] for match in found]
    except Exception as error:
        answer = str(error) or type(error).__name__
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(answer), flush=True)
    del line, texts, found, answer
"""


def search(pattern: str, texts: Sequence[str]) -> list[str | None]:
    """The first match in each text, None where it has none. Lines are as with re.MULTILINE."""
    if sum(map(len, texts)) > LONG:
        return _apart(pattern, texts)
    return [match and match[0] for match in (re.search(pattern, text, re.MULTILINE) for text in texts)]


def _apart(pattern: str, texts: Sequence[str]) -> list[str | None]:
    searcher = _one()
    told = searcher.ask(json.dumps([SECONDS, pattern, texts]))
    if not told:
        raise CommandTimeout(f"{clean(pattern, SHOWN)!r}: no end after {SECONDS:g} s on what the host says")
    _idle.append(searcher)
    answer = json.loads(told)
    if isinstance(answer, str):
        raise Surprise(f"{clean(pattern, SHOWN)!r} on what the host says: {clean(answer[:SHOWN])}")
    return list(answer)


def _one() -> "_Searcher":
    while True:
        try:
            searcher = _idle.pop()  # in C, so in one step for all threads
        except IndexError:
            return _Searcher()
        if searcher.is_there():
            return searcher
        searcher.end()


class _Searcher:
    """One such process, asked by one thread at a time."""

    def __init__(self) -> None:
        argv = [sys.executable, "-IS", "-c", PROGRAM]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="ascii")

    def ask(self, line: str) -> str:
        """What it answers; "" where it took too long. Raises Surprise where it ended otherwise."""
        with suppress(BrokenPipeError):
            print(line, file=self._process.stdin, flush=True)
        told = cast(IO[str], self._process.stdout).readline()
        if told.endswith("\n"):
            return told
        if self.end() == -signal.SIGALRM:
            return ""
        raise Surprise("the process that looks through a long text has ended")

    def is_there(self) -> bool:
        """Nobody has killed it meanwhile, for its memory, say."""
        return self._process.poll() is None

    def end(self) -> int:
        with suppress(BrokenPipeError), self._process as process:
            process.kill()
        return self._process.returncode


_idle: deque[_Searcher] = deque()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
