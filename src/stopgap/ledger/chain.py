"""The chain of events of one writer, estate and host: each link's hash covers the one before. Pure.

A hash says what stood before it without naming it, so a chain is checked by walking it from its first event. Two
events may follow the same one: then a ledger was copied and both copies were written to (a fork). That is no forgery.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from stopgap.ledger.errors import LedgerBroken
from stopgap.ledger.events import clean

SPELLED = (
    "writer", "seq", "recorded_at", "id", "at", "estate", "host", "remedy", "revision", "kind", "verdict", "reason",
    "evidence", "actor", "run", "origin",
)  # fmt: skip
COLUMNS = (*SPELLED, "hash")  # of a row as Walk.take wants it
SEQ, ID, HASH = COLUMNS.index("seq"), COLUMNS.index("id"), COLUMNS.index("hash")

_spell = msgspec.json.Encoder().encode  # compact, all characters as they are

# kind -> what to do about it. `fork` is told, and breaks nothing.
ADVICE = {
    "changed": "compare it with an export, a backup or another ledger that holds it: this ledger cannot mend it",
    "missing": "bring it back from an export, or from another ledger that holds it: `stopgap ledger import FILE`",
    "head": "find out who may write to the database; an export or a saved copy of the heads tells which side is right",
    "gone": "bring it back from an export; and find out who may write to the database",
    "fork": "nothing is lost; give each laptop a ledger of its own, and carry events by export and import",
}
CHANGED = "changed or moved, or put in: its hash is not that of its content behind the one before"
COPIED = "a copy of the ledger was written to as well"


class Name(NamedTuple):
    """Which chain."""

    writer: str
    estate: str
    host: str


class Head(NamedTuple):
    """An event that no other follows, by its place and hash. Their order is the order of forked heads."""

    seq: int
    hash: str


NO_HEAD = Head(0, "")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at one place of one chain. `event` is "" where there is none, `seq` 0 for the chain as a whole."""

    chain: Name
    seq: int
    event: str
    kind: str  # a key of ADVICE
    what: str

    @property
    def is_fork(self) -> bool:
        return self.kind == "fork"

    def line(self) -> str:
        """For people. What a database holds may be anything by now."""
        estate, host = clean(self.chain.estate, 64), clean(self.chain.host, 255)
        of = f"{estate}/{host}" if estate or host else "knowledge of no host"
        place = f", event {self.seq}" if self.seq else ""
        event = f" ({clean(self.event, 36)})" if self.event else ""
        return f"{of}, writer {clean(self.chain.writer, 36)}{place}{event}: {clean(self.what, 300)}"


def place_of(seq: object, estate: str, host: str) -> int:
    """The place that a kept head names. Raises LedgerBroken for what is none: SQLite keeps whatever it is given."""
    if type(seq) is int:
        return seq
    of = f"{clean(estate, 64)}/{clean(host, 255)}"
    raise LedgerBroken(f"the head of {of} was edited: `stopgap ledger verify` says what else was")


def link(previous: str, row: Mapping[str, Any]) -> str:
    """The hash of this row of the table `events` behind `previous` ("" for the first): 64 hex digits of SHA-256."""
    return link_values(previous, [row[name] for name in SPELLED])


def link_values(previous: str, spelled: Sequence[Any]) -> str:
    return hashlib.sha256(_spell([previous, *spelled])).hexdigest()


@dataclass(slots=True)
class Place:
    """The hashes at one place of a chain: those that rows hold, and those that rows with a wrong one should hold:
    where only the hash was edited, the next event is right.
    """

    kept: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)


class Walk:
    """One chain, row by row in the order of (seq, hash). Time and memory do not grow with its length, broken or not."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self.place = 0  # of the rows last taken
        self.heads: dict[str, int] = {}  # hash -> seq of every event that none followed so far
        self._here = Place(kept={""})
        self._before: Place | None = None  # None: what stood there is missing
        self._followed: set[str] = set()

    def take(self, row: Sequence[Any]) -> Iterator[Finding]:
        seq = row[SEQ]
        if type(seq) is not int or seq < 1:
            yield self._found(0, row, "changed", f"its place {seq!r} is none")
            return
        if seq > self.place:
            yield from self._step_to(seq)
        yield from self._check(seq, row)

    def end(self, head: Head | None) -> Iterator[Finding]:
        """What the chain's kept head says of its end."""
        if head is None:
            yield self._about("head", "the chain has no head: it was removed, or these events were put in beside ours")
        elif type(head.seq) is not int:
            yield self._about("head", f"the place its head names, {head.seq!r}, is none")
        elif not self.place:
            yield self._about("missing", f"all events are missing, its head says there are {head.seq}", 1)
        elif head.seq > self.place:
            yield self._about("missing", f"missing up to the last: its head is event {head.seq}", self.place + 1)
        elif head.seq < self.place:
            yield self._about("head", f"there are events up to {self.place}, and its head says {head.seq}", head.seq)
        elif head.hash not in self._here.kept | self._here.due:
            yield self._about("head", "the last event is not the one its head names: one of them was changed", head.seq)

    def _step_to(self, seq: int) -> Iterator[Finding]:
        follows = seq == self.place + 1
        if not follows:
            missing = self.place + 1
            upto = f" up to event {seq - 1}" if seq - 1 > missing else ""
            yield self._about("missing", f"missing{upto}: the next one is event {seq}", missing)
        self._before = self._here if follows else None
        self._here, self._followed, self.place = Place(), set(), seq

    def _check(self, seq: int, row: Sequence[Any]) -> Iterator[Finding]:
        kept = row[HASH]
        self._here.kept.add(kept)
        self.heads[kept] = seq
        if self._before is None:
            return  # what it was linked to is missing, and told
        previous = self._previous(self._before, row)
        if previous is None:
            yield self._found(seq, row, "changed", CHANGED)
            return
        self.heads.pop(previous, None)
        if previous in self._followed:
            behind = f"event {seq - 1}" if seq > 1 else "the beginning"
            yield self._found(seq, row, "fork", f"two events follow {behind}: {COPIED}")
        self._followed.add(previous)

    def _previous(self, before: Place, row: Sequence[Any]) -> str | None:
        """The hash this row was linked to."""
        if not all(isinstance(value, str | int) for value in row[:HASH]):
            return None  # bytes would be spelled like a text
        due = set()
        try:
            for previous in before.kept:
                made = link_values(previous, row[:HASH])
                if made == row[HASH]:
                    return previous
                due.add(made)
            for previous in before.due:
                if link_values(previous, row[:HASH]) == row[HASH]:
                    return previous
        except ValueError:  # half a character: no row of ours
            return None
        self._here.due |= due
        return None

    def _found(self, seq: int, row: Sequence[Any], kind: str, what: str) -> Finding:
        return Finding(self.name, seq, str(row[ID]), kind, what)

    def _about(self, kind: str, what: str, seq: int = 0) -> Finding:
        return Finding(self.name, seq, "", kind, what)


class HeadsDigest:
    """One figure for the heads of many chains, given in the order of their names."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = hashlib.sha256()

    def add(self, name: Name, head: Head) -> None:
        self.count += 1
        self._sum.update(_spell([*name, *head]) + b"\n")

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


def heads_of(walk: Walk) -> list[Head]:
    """One, or several where the chain forks; the greatest is what the table `chains` keeps."""
    return sorted(Head(seq, kept) for kept, seq in walk.heads.items())
