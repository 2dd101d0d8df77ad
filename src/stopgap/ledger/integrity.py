"""Walking the chains of a ledger: host by host, so that memory does not grow with the number of events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from stopgap.ledger.chain import COLUMNS, Finding, Head, Name, Walk, heads_of
from stopgap.ledger.tables import chains, events

HOSTS_AT_ONCE = 50
ROWS_AT_ONCE = 1000
MOST_TOLD = 1000  # findings kept; the others are counted

Tick = Callable[[int], None]  # how many events more


def no_tick(_events: int) -> None:
    pass


# --- what is there -------------------------------------------------------------------------------------------------


def kept_heads(connection: sa.Connection) -> dict[Name, Head]:
    query = sa.select(chains.c.writer, chains.c.estate, chains.c.host, chains.c.seq, chains.c.hash)
    return {
        Name(writer, estate, host): Head(seq, kept) for writer, estate, host, seq, kept in connection.execute(query)
    }


def names_of_events(connection: sa.Connection) -> dict[Name, int]:
    """Each chain that has events, and how many."""
    columns = (events.c.writer, events.c.estate, events.c.host)
    query = sa.select(*columns, sa.func.count()).group_by(*columns)
    return {Name(*row[:3]): row[3] for row in connection.execute(query)}


def rows_by_chain(connection: sa.Connection, names: Iterable[Name]) -> Iterator[tuple[Name, Iterator[Any]]]:
    """The rows of each of these chains, in the order of names (of their characters), then of (seq, hash)."""
    for (writer, estate), group in groupby(sorted(names), key=lambda name: name[:2]):
        hosts = [name.host for name in group]
        for start in range(0, len(hosts), HOSTS_AT_ONCE):
            part = hosts[start : start + HOSTS_AT_ONCE]
            told = groupby(_rows(connection, writer, estate, part), key=lambda row: row.host)
            following = next(told, None)
            for host in part:
                if following is not None and following[0] == host:
                    yield Name(writer, estate, host), following[1]
                    following = next(told, None)
                else:
                    yield Name(writer, estate, host), iter(())


def _rows(connection: sa.Connection, writer: str, estate: str, hosts: list[str]) -> sa.CursorResult[Any]:
    collation = "BINARY" if connection.dialect.name == "sqlite" else "C"  # of bytes: the same order everywhere
    query = (
        sa.select(*(events.c[name] for name in COLUMNS))
        .where(events.c.writer == writer, events.c.estate == estate, events.c.host.in_(hosts))
        .order_by(events.c.host.collate(collation), events.c.seq, events.c.hash.collate(collation))
    )
    return connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})


# --- verify --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Verified:
    """`findings` and `forks` are the first MOST_TOLD of each, `broken` is how many findings there were."""

    events: int = 0
    chains: int = 0
    broken: int = 0
    findings: list[Finding] = field(default_factory=list)
    forks: list[Finding] = field(default_factory=list)
    heads: list[tuple[Name, Head]] = field(default_factory=list)

    def note(self, findings: Iterable[Finding]) -> None:
        for one in findings:
            told = self.forks if one.is_fork else self.findings
            self.broken += not one.is_fork
            if len(told) < MOST_TOLD:
                told.append(one)


def verify(
    connection: sa.Connection | None, saved: Mapping[Name, frozenset[Head]] | None = None, tick: Tick = no_tick
) -> Verified:
    """Walk every chain, and look for the heads that were saved. None for a ledger that is not there."""
    saved = saved or {}
    heads = kept_heads(connection) if connection is not None else {}
    counts = names_of_events(connection) if connection is not None else {}
    names, result = readable(counts.keys() | heads.keys() | saved.keys())
    told = rows_by_chain(connection, names) if connection is not None else ((name, iter(())) for name in names)
    for name, rows in told:
        if name in heads or name in counts:
            result.chains += 1
            _verify_chain(name, rows, heads.get(name), saved.get(name, frozenset()), result)
        else:
            result.note(_gone(name, saved[name]))
        result.events += counts.get(name, 0)
        tick(counts.get(name, 0))
    return result


def readable(names: Iterable[Name]) -> tuple[list[Name], Verified]:
    """SQLite keeps bytes in a column of text, if somebody insists."""
    result, good = Verified(), []
    for name in names:
        if all(isinstance(part, str) for part in name):
            good.append(name)
        else:
            odd = Name(*(str(part) for part in name))
            result.note([Finding(odd, 0, "", "changed", "writer, estate and host of its events are no text")])
    return good, result


def _verify_chain(name: Name, rows: Iterator[Any], head: Head | None, saved: frozenset[Head], result: Verified) -> None:
    walk, unseen = Walk(name), set(saved)
    for row in rows:
        if unseen:
            unseen.discard(Head(row.seq, row.hash))
        result.note(walk.take(row))
    result.note(walk.end(head))
    result.note(_gone(name, unseen))
    result.heads.extend((name, one) for one in heads_of(walk))


def _gone(name: Name, heads: Iterable[Head]) -> Iterator[Finding]:
    for head in sorted(heads):
        what = f"the saved head {head.hash[:12]}… is not in this chain: it was removed, or its history written anew"
        yield Finding(name, head.seq, "", "gone", what)
