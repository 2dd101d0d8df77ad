"""An export, read line by line: every event as clean as at ingest, in its place, in an unbroken chain."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from stopgap.ledger.chain import COLUMNS, NO_HEAD, Finding, Head, HeadsDigest, Name, Walk, heads_of
from stopgap.ledger.errors import BadEvent, BadExport
from stopgap.ledger.events import FIELDS, PATTERNS, Event, clean, is_time, parse_event, parse_json

FORMAT = 1
LINE_LIMIT = 512 * 1024  # bytes; the largest event there can be, and air
HASH = re.compile("[0-9a-f]{64}")
LINKS = ("writer", "seq", "recorded_at", "hash")
KEYS = frozenset((*FIELDS, *LINKS))

Row = dict[str, Any]
Statement = tuple[Event, Row]  # what is said, and its row of the table `events`


class Reader:
    """The events of an export, each checked as it comes; whether the file was whole is known at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.forks: list[Finding] = []
        self._file = file
        self._number = 0  # of the line last read
        self._events = 0
        self._chains = 0
        self._digest = HeadsDigest()
        self._walk = Walk(Name("", "", ""))
        self._last = (Name("", "", ""), NO_HEAD)

    def statements(self) -> Iterator[Statement]:
        first = self._first_line()
        while "heads" not in (raw := self._next_line()):
            event, row = self._statement(raw)
            self._follow(row)
            yield event, row
        self._close_chain()
        promised = {"events": first["events"], "chains": first["chains"], **raw}
        found = {"events": self._events, "chains": self._chains, "heads": self._digest.count}
        if promised != found | {"digest": self._digest.hexdigest()}:
            raise self._bad("its first and last line promise other events than there are: it was cut or changed")
        if self._file.read(1):
            raise self._bad("there is more behind the last line")

    def _first_line(self) -> Row:
        first = self._next_line()
        if "stopgap_ledger" not in first:
            raise self._bad("this is no export of a ledger; `stopgap ledger export` writes one")
        if first["stopgap_ledger"] != FORMAT or set(first) != {"stopgap_ledger", "writer", "events", "chains"}:
            raise self._bad(
                f"this export has another format than {FORMAT}: use the stopgap that wrote it, or a newer one"
            )
        return first

    def _next_line(self) -> Row:
        line = self._file.readline(LINE_LIMIT + 1)
        self._number += 1
        if not line.endswith(b"\n") and len(line) <= LINE_LIMIT:
            raise self._bad("the file ends here, without its last line: it was cut")
        try:
            raw = parse_json(line, LINE_LIMIT)
        except BadEvent as error:
            raise self._bad(str(error)) from error
        if not isinstance(raw, dict):
            raise self._bad("not a JSON object")
        return raw

    def _statement(self, raw: Row) -> Statement:
        try:
            return as_statement(raw)
        except BadEvent as error:
            raise self._bad(str(error)) from error

    def _follow(self, row: Row) -> None:
        """In its place in the file, and in its chain."""
        name, head = name_of(row), Head(row["seq"], row["hash"])
        if (name, head) <= self._last:
            raise self._bad("out of order: each event stands once, sorted by writer, estate, host, seq and hash")
        if name != self._last[0]:
            self._close_chain()
            self._walk = Walk(name)
            self._chains += 1
        self._last = (name, head)
        self._events += 1
        for finding in self._walk.take([row[column] for column in COLUMNS]):
            if not finding.is_fork:
                raise self._bad(f"the chain is broken ({finding.line()})")
            self.forks.append(finding)

    def _close_chain(self) -> None:
        for head in heads_of(self._walk):
            self._digest.add(self._walk.name, head)

    def _bad(self, why: str) -> BadExport:
        return BadExport(f"line {self._number}: {clean(why, 500)}; nothing was imported")


def as_statement(raw: Row) -> Statement:
    """The event of one line, and its row of the table. Raises BadEvent where it is not one that a ledger recorded."""
    if set(raw) != KEYS:
        odd = ", ".join(sorted(str(key)[:40] for key in set(raw) ^ KEYS))
        raise BadEvent(f"keys missing or unknown: {clean(odd, 200)}")
    said = {name: raw[name] for name in FIELDS}
    event = parse_event(said)
    row = {name: getattr(event, name) for name in FIELDS} | {name: raw[name] for name in LINKS}
    row["evidence"] = spelled(event.evidence)
    if event.reason != said["reason"] or row["evidence"] != spelled(said["evidence"]):
        raise BadEvent("its text is not as a ledger keeps it: unprintable, too long or too much")
    _check_links(raw)
    return event, row


def _check_links(raw: Row) -> None:
    for name, pattern in (("writer", PATTERNS["run"]), ("hash", HASH)):
        if not isinstance(raw[name], str) or not pattern.fullmatch(raw[name]):
            raise BadEvent(f"{name} is not well formed")
    if not isinstance(raw["recorded_at"], str) or not is_time(raw["recorded_at"]):
        raise BadEvent("recorded_at is not a moment in time")
    if type(raw["seq"]) is not int or not 0 < raw["seq"] < 2**31:
        raise BadEvent("seq is not a place in a chain")


def name_of(row: Mapping[str, Any]) -> Name:
    return Name(row["writer"], row["estate"], row["host"])


def spelled(value: object) -> str:
    """JSON as the column `evidence` holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
