"""The way from a play to the ledger: files of events that survive whatever happens in between.

A running play holds a POSIX record lock on its file (not flock: that one would live on in Ansible's forked workers
after the controller was killed). A file nobody holds is complete, or its writer is dead: either way it is delivered
whole, in one transaction, then renamed and removed. Killed anywhere in between, the next delivery repeats it, and
events are known by their id.
"""

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stopgap.ledger.errors import BadEvent, BadSpool
from stopgap.ledger.events import LINE_LIMIT, Event, clean, id_in, is_of, parse_line

Numbered = tuple[int, bytes]  # a line
Known = Callable[[Collection[str]], set[str]]  # which of these ids the ledger has

BUFFER = 1024 * 1024  # bytes
PART_LIMIT = 16 * 1024 * 1024  # bytes of lines that are in memory together, but for the last of them
DELIVERED = ".delivered"
BAD_TEXT_LIMIT = 64 * 1024
BAD_TOLD = 100  # sentences; all of them are in the file of bad lines


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one file. `bad` are sentences, one for each line put aside, and of too many just how many more.

    `left` says why the file is still there: another user's, mostly, of a play that was run with sudo.
    """

    file: str
    events: int
    new: int
    bad: tuple[str, ...]
    warnings: tuple[str, ...] = ()  # sentences of the ledger, on what was delivered
    left: str = ""
    delivered: bool = True


def deliver(spool: Path, record: Callable[["Lines"], int]) -> Iterator[Delivery]:
    """Deliver each file that is not being written. Stops at the first error of `record`; the files then stay.

    A file that cannot be opened keeps none of the others. Raises BadSpool where the folder itself cannot be read.
    """
    _sweep(spool)
    for path in _files(spool):
        try:
            held = _held(path)
        except BadSpool as error:
            yield Delivery(path.name, 0, 0, (), left=str(error), delivered=False)
            continue
        if held:
            with held:
                yield _deliver_file(path, held, record)


def waiting(spool: Path) -> int:
    """How many files are still there: of running plays, or not delivered."""
    return len(_files(spool))


def left_behind(spool: Path) -> int:
    """How many of them nobody is writing any more: what they say is not in the ledger."""
    count = 0
    for path in _files(spool):
        try:
            held = _held(path)
        except BadSpool:
            count += 1
            continue
        if held:
            held.close()
            count += 1
    return count


def _files(spool: Path) -> list[Path]:
    """Not with `glob`: it sees nothing in a folder that cannot be read, and a play's file before it has its name."""
    try:
        paths = sorted(spool.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadSpool(f"the spool {spool} cannot be read: {error.strerror}") from error
    return [path for path in paths if path.suffix == ".jsonl" and not path.name.startswith(".")]


def _deliver_file(path: Path, file: BinaryIO, record: Callable[["Lines"], int]) -> Delivery:
    lines = Lines(path, file)
    new = record(lines)
    gone, left = path.with_name(path.name + DELIVERED), ""
    try:
        path.rename(gone)
        gone.unlink(missing_ok=True)
    except OSError as error:
        left = f"{path} is in the ledger, and cannot be removed: {error.strerror}"
    return Delivery(path.name, lines.good, new, lines.told(), left=left)


class Lines:
    """The events of one file, read as they are asked for: a file may be larger than the memory.

    Lines that are no events have been put aside when the last part was given, so before a transaction over all of them
    ends; and into the same file each time, so that a repeated delivery does not double them.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._file = file
        self._aside = path.parent / "bad" / path.name
        self.good = self.bad = 0
        self._sentences: list[str] = []

    def news(self, known: Known, at_once: int) -> Iterator[list[Event]]:
        """What the ledger does not have, of at most so many lines at a time; each part is recorded before the next.

        Histories are told again by every run that sees them: a whole line with a known id is not read any further.
        """
        self._file.seek(0)
        self.good = self.bad = 0
        self._sentences = []
        lines = enumerate(_lines(self._file), start=1)
        while part := _part(lines, at_once):
            yield self._news_of(part, known)
            del part  # not while the next one is read
        if self.bad:
            self._scratch.rename(self._aside)

    def _news_of(self, part: list[Numbered], known: Known) -> list[Event]:
        begun = [id_in(line) for _, line in part]
        there = known(set(begun) - {""})
        events: dict[str, Event] = {}
        unasked = set()
        for (number, line), told in zip(part, begun, strict=True):
            if told in there and is_of(line, told):
                self.good += 1
            elif (event := self._read(number, line)) and event.id not in there:
                events[event.id] = event
                if event.id != told:
                    unasked.add(event.id)
        for one in known(unasked):
            del events[one]
        return list(events.values())

    def _read(self, number: int, line: bytes) -> Event | None:
        told = line.strip()
        if not told:
            return None
        try:
            event = parse_line(told)
        except BadEvent as error:
            cut = "" if line.endswith(b"\n") or len(line) > LINE_LIMIT else "cut in the middle: "
            self._put_aside(number, f"{cut}{error}", line)
            return None
        self.good += 1
        return event

    def told(self) -> tuple[str, ...]:
        more = self.bad - len(self._sentences)
        return (*self._sentences, f"and {more} more lines are no events") if more else tuple(self._sentences)

    @property
    def _scratch(self) -> Path:
        return self._aside.with_name(f".{self._aside.name}")

    def _put_aside(self, number: int, why: str, line: bytes) -> None:
        self._aside.parent.mkdir(mode=0o700, exist_ok=True)
        afresh = 0 if self.bad else os.O_TRUNC
        text = clean(line[:BAD_TEXT_LIMIT].decode("utf-8", "replace"), BAD_TEXT_LIMIT)
        with open(os.open(self._scratch, os.O_WRONLY | os.O_CREAT | os.O_APPEND | afresh, 0o600), "w") as file:
            file.write(json.dumps({"line": number, "why": why, "text": text}) + "\n")
        self.bad += 1
        if self.bad <= BAD_TOLD:
            self._sentences.append(f"line {number}: {why}")


def _part(lines: Iterator[Numbered], at_once: int) -> list[Numbered]:
    """Not more of them than fit into memory, however long they are."""
    part, room = [], PART_LIMIT
    for numbered in lines:
        part.append(numbered)
        room -= len(numbered[1])
        if len(part) == at_once or room <= 0:
            break
    return part


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Each line; of one that is longer than any event, its beginning."""
    while line := file.readline(LINE_LIMIT + 1):
        rest = line
        while len(rest) > LINE_LIMIT and not rest.endswith(b"\n"):
            rest = file.readline(LINE_LIMIT + 1)
        yield line


def _held(path: Path) -> BinaryIO | None:
    """The file, ours alone; None when somebody else has it or has just delivered it. Raises BadSpool."""
    try:
        file = open(path, "r+b", BUFFER)  # noqa: SIM115 - whoever asked closes it; a record lock wants a writable file
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadSpool(f"{path} cannot be delivered: {error.strerror or error}") from error
    if _lock(file) and _is_still(path, file):
        return file
    file.close()
    return None


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
        with suppress(OSError):  # then it stays; nothing is lost, nor told twice
            path.unlink()
