"""The way from a play to the ledger: files of events that survive whatever happens in between.

A running play holds a POSIX record lock on its file (not flock: that one would live on in Ansible's forked workers
after the controller was killed). A file nobody holds is complete, or its writer is dead: either way it is delivered
whole, in one transaction, then renamed and removed. Killed anywhere in between, the next delivery repeats it, and
events are known by their id.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stopgap.ledger.errors import BadEvent
from stopgap.ledger.events import Event, clean, parse_line

Recorder = Callable[[Iterable[Event]], int]

DELIVERED = ".delivered"
BAD_TEXT_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one file. `bad` are sentences, one for each line put aside."""

    file: str
    events: int
    new: int
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    why: str
    text: bytes


def deliver(spool: Path, record: Recorder) -> Iterator[Delivery]:
    """Deliver each file that is not being written. Stops at the first error of `record`; the files then stay."""
    _sweep(spool)
    for path in sorted(spool.glob("*.jsonl")):
        with _held(path) as file:
            if file is not None:
                yield _deliver_file(path, file, record)


def waiting(spool: Path) -> int:
    """How many files are still there: of running plays, or not delivered."""
    return len(list(spool.glob("*.jsonl")))


def _deliver_file(path: Path, file: BinaryIO, record: Recorder) -> Delivery:
    good, bad = read_lines(file)
    if bad:
        _put_aside(path, bad)
    new = record(good)
    gone = path.with_name(path.name + DELIVERED)
    path.rename(gone)
    gone.unlink(missing_ok=True)
    return Delivery(path.name, len(good), new, tuple(f"line {line.number}: {line.why}" for line in bad))


def read_lines(file: Iterable[bytes]) -> tuple[list[Event], list[BadLine]]:
    good: list[Event] = []
    bad: list[BadLine] = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            good.append(parse_line(line.strip()))
        except BadEvent as error:
            cut = "" if line.endswith(b"\n") else "cut in the middle: "
            bad.append(BadLine(number, f"{cut}{error}", line))
    return good, bad


def _put_aside(path: Path, bad: list[BadLine]) -> None:
    """Before the delivery, and the same file each time: a repeated delivery does not double it."""
    folder = path.parent / "bad"
    folder.mkdir(mode=0o700, exist_ok=True)
    scratch = folder / f".{path.name}"
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for line in bad:
            text = clean(line.text.decode("utf-8", "replace"), BAD_TEXT_LIMIT)
            file.write(json.dumps({"line": line.number, "why": line.why, "text": text}) + "\n")
    scratch.rename(folder / path.name)


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO | None]:
    """The file, ours alone; None when somebody else has it or has just delivered it."""
    try:
        file = open(path, "r+b")  # noqa: SIM115 - closed below; a record lock wants a writable file
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file if _lock(file) and _is_still(path, file) else None


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _sweep(spool: Path) -> None:
    """Files that were delivered, by somebody who died before removing them."""
    for path in spool.glob(f"*.jsonl{DELIVERED}"):
        path.unlink(missing_ok=True)
