"""All events of a ledger as JSON lines, and back into another one: the union of both is what a merge gives.

{"stopgap_ledger": 1, "writer": UUID, "events": N, "chains": M}
{event's keys, "writer", "seq", "recorded_at", "hash"}      sorted by (writer, estate, host, seq, hash)
{"heads": H, "digest": SHA-256 of the chains' heads}        H is M, and one more for each fork
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, BinaryIO

import sqlalchemy as sa

from stopgap.ledger import book, machines
from stopgap.ledger.chain import NO_HEAD, Finding, Head, HeadsDigest, Name, Walk, heads_of, place_of
from stopgap.ledger.errors import LedgerBroken, NotAllowed
from stopgap.ledger.events import Event, clean
from stopgap.ledger.export_reader import FORMAT, Reader, Row, Statement, name_of, spelled
from stopgap.ledger.integrity import ROWS_AT_ONCE, Tick, kept_heads, names_of_events, no_tick, readable, rows_by_chain
from stopgap.ledger.tables import events, pen

CASES_AT_ONCE = 50_000  # to be projected again; bounds memory


# --- out -----------------------------------------------------------------------------------------------------------


def export(connection: sa.Connection, write: Callable[[bytes], object], tick: Tick = no_tick) -> int:
    """How many events. Raises LedgerBroken rather than writing what no ledger would import."""
    counts, heads = names_of_events(connection), kept_heads(connection)
    names, odd = readable(counts.keys() | heads.keys())
    _stop_at(odd.findings)
    writer = connection.scalar(sa.select(pen.c.writer))
    first = {"stopgap_ledger": FORMAT, "writer": writer, "events": sum(counts.values()), "chains": len(counts)}
    write(_line(first))
    digest = HeadsDigest()
    for name, rows in rows_by_chain(connection, names):
        walk = Walk(name)
        for row in rows:
            _stop_at(walk.take(row))
            write(_line(_as_object(row)))
        _stop_at(walk.end(heads.get(name)))
        for head in heads_of(walk):
            digest.add(name, head)
        tick(counts.get(name, 0))
    write(_line({"heads": digest.count, "digest": digest.hexdigest()}))
    return sum(counts.values())


def _as_object(row: Any) -> Row:
    told = dict(row._mapping)
    try:
        evidence = json.loads(told["evidence"])
    except (ValueError, RecursionError):
        evidence = None
    if not isinstance(evidence, dict) or spelled(evidence) != told["evidence"]:
        raise LedgerBroken(f"event {clean(row.id, 40)} has evidence this ledger did not write; not exported")
    return told | {"evidence": evidence}


def _stop_at(findings: Iterable[Finding]) -> None:
    for one in findings:
        if not one.is_fork:
            raise LedgerBroken(f"the ledger is broken ({one.line()}): `stopgap ledger verify` says where; not exported")


def _line(value: Mapping[str, Any]) -> bytes:
    return spelled(value).encode() + b"\n"


# --- in ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Imported:
    """`forks`: chains that go on in two ways, both kept. `clocks`: sentences, of runs whose clock was ahead."""

    events: int = 0
    new: int = 0
    chains: int = 0
    forks: list[Finding] = field(default_factory=list)
    clocks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Arrived:
    """What the file holds of one chain: its greatest place and hash, whether our own head is in it, whether it told
    us anything.
    """

    head: Head = NO_HEAD
    has_ours: bool = False
    is_news: bool = False


def bring_in(connection: sa.Connection, file: BinaryIO, tick: Tick = no_tick) -> Imported:
    """Add the events of an export that are not here yet, and project their cases again.

    In a transaction of the caller's, to be rolled back when this raises: BadExport, which names the line, LedgerBroken,
    or NotAllowed.
    """
    own, now, _ = book.take_the_pen(connection)
    ours, reader, result = kept_heads(connection), Reader(file), Imported()
    for name, head in ours.items():
        place_of(head.seq, name.estate, name.host)
    arrived: dict[Name, Arrived] = {}
    touched: set[book.Key] = set()
    ahead: dict[str, Event] = {}
    statements = reader.statements()
    while part := list(islice(statements, ROWS_AT_ONCE)):
        fresh = _add(connection, part)
        touched |= book.touched_by(connection, [event for event, _row in fresh])
        if len(touched) > CASES_AT_ONCE:
            book.refresh(connection, touched)
            touched = set()
        _note_ahead(ahead, fresh, now)
        _note(arrived, part, {row["hash"] for _event, row in fresh}, ours)
        result.events += len(part)
        result.new += len(fresh)
        tick(len(part))
    book.refresh(connection, touched)
    _set_heads(connection, {name: one.head for name, one in arrived.items() if one.head > ours.get(name, NO_HEAD)})
    result.chains = len(arrived)
    result.forks = _forks(arrived, ours, reader.forks)
    if any(one.chain.writer == own for one in result.forks):
        _take_another_name(connection)
    result.clocks = book.tell_clocks(connection, ahead.values())
    return result


def _take_another_name(connection: sa.Connection) -> None:
    """A copy of this ledger writes under its name: from here on the two are told apart."""
    try:
        connection.execute(sa.update(pen).values(writer=str(uuid.uuid4())))
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "42501":
            raise
        raise NotAllowed(
            "a copy of this ledger goes on under this ledger's name: its owner has to import it, since this ledger "
            "takes another name then; nothing was imported"
        ) from None


def _add(connection: sa.Connection, statements: list[Statement]) -> list[Statement]:
    """Those that are new."""
    fresh = _unknown(connection, statements)
    if fresh:
        connection.execute(sa.insert(events), [row for _event, row in fresh])
        machines.observe(connection, [(event, row["recorded_at"]) for event, row in fresh])
    return fresh


def _note_ahead(ahead: dict[str, Event], fresh: list[Statement], now: str) -> None:
    """The last word of each run that counts from a moment still to come: its ledger's clock was ahead as well."""
    for event, row in fresh:
        if row["recorded_at"] > now and event.heard_at > now:
            ahead[event.run] = max(event, ahead.get(event.run, event), key=lambda one: one.heard_at)


def _note(arrived: dict[Name, Arrived], part: list[Statement], fresh: set[str], ours: Mapping[Name, Head]) -> None:
    for _event, row in part:
        name, head = name_of(row), Head(row["seq"], row["hash"])
        one = arrived.setdefault(name, Arrived())
        one.head = max(one.head, head)
        one.has_ours |= head == ours.get(name)
        one.is_news |= head.hash in fresh


def _unknown(connection: sa.Connection, statements: list[Statement]) -> list[Statement]:
    known = set[tuple[str, str]]()
    for start in range(0, len(statements), book.CHUNK):
        ids = [event.id for event, _row in statements[start : start + book.CHUNK]]
        found = connection.execute(sa.select(events.c.id, events.c.hash).where(events.c.id.in_(ids)))
        known.update((row.id, row.hash) for row in found)
    return [one for one in statements if (one[1]["id"], one[1]["hash"]) not in known]


def _set_heads(connection: sa.Connection, heads: Mapping[Name, Head]) -> None:
    for writer, group in groupby(sorted(heads), key=lambda name: name.writer):
        book.set_heads(connection, writer, {(name.estate, name.host): heads[name] for name in group})


def _forks(arrived: Mapping[Name, Arrived], ours: Mapping[Name, Head], within: list[Finding]) -> list[Finding]:
    """Those the file brought, then those it makes: our chain and its chain share a beginning, and go on apart."""
    known = {one.chain for one in within}
    apart = [
        Finding(name, one.head.seq, "", "fork", "this ledger and the file go on in two ways: both are kept")
        for name, one in arrived.items()
        if name in ours and one.is_news and not one.has_ours and name not in known
    ]
    return within + apart
