"""Events as the next links of their hosts' chains, and the heads of those."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import astuple

from stopgap.ledger import bulk
from stopgap.ledger.chain import link_values, place_of
from stopgap.ledger.events import FIELDS, Event
from stopgap.ledger.hosts import Host
from stopgap.ledger.tables import chains

Head = tuple[int, str]  # seq, hash
NEW = (0, "")  # the head of a chain that is not there yet

_EVIDENCE = FIELDS.index("evidence")
_HEADS = sa.select(chains.c.host, chains.c.seq, chains.c.hash).where(chains.c.writer == sa.bindparam("writer"))


class Linked(NamedTuple):
    rows: list[tuple[Any, ...]]  # of the table `events`
    heads: dict[Host, Head]
    hashes: list[str]


def link_on(fresh: Sequence[Event], heads: Mapping[Host, Head], writer: str, now: str) -> Linked:
    """Each event becomes the next link of the chain of its host."""
    after = dict(heads)
    rows, hashes = [], []
    for event in fresh:
        host = (event.estate, event.host)
        seq, last = after.get(host, NEW)
        place, said = (writer, seq + 1, now), _said(event)
        hash_ = link_values(last, (*place, event.id, *said))
        after[host] = (seq + 1, hash_)
        rows.append((event.id, hash_, *place, *said))
        hashes.append(hash_)
    return Linked(rows, after, hashes)


def read_heads(connection: sa.Connection, writer: str, hosts: Iterable[Host]) -> dict[Host, Head]:
    """Of those that have a chain of this writer. Raises LedgerBroken."""
    return {
        (estate, host): (place_of(seq, estate, host), last)
        for estate, (host, seq, last) in bulk.of_hosts(connection, _HEADS, chains, hosts, writer=writer)
    }


def set_heads(connection: sa.Connection, writer: str, heads: Mapping[Host, Head]) -> None:
    bulk.upsert(connection, chains, [(writer, *host, *head) for host, head in heads.items()])


def _said(event: Event) -> tuple[Any, ...]:
    """What the event says, but for its id: as chain.SPELLED and the table have it at their ends."""
    fields = astuple(event)
    return (*fields[1:_EVIDENCE], event.evidence_text, *fields[_EVIDENCE + 1 :])
