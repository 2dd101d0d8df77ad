"""Are the hash chains of a ledger whole? As `stopgap ledger verify` says, and reckoned here once more from the rows."""

from itertools import groupby
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import integrity
from stopgap.ledger.chain import link
from stopgap.ledger.tables import chains, events

ORDER = (events.c.writer, events.c.estate, events.c.host, events.c.seq)


def broken(connection: sa.Connection) -> list[str]:
    """A sentence for each chain with a gap, a wrong hash, or a head that is not its last event."""
    rows = [dict(row) for row in connection.execute(sa.select(events).order_by(*ORDER)).mappings()]
    found, heads = [], {}
    for key, links in groupby(rows, key=lambda row: (row["writer"], row["estate"], row["host"])):
        head, sentences = _follow(list(links))
        heads[key] = head
        found += [f"{key}: {sentence}" for sentence in sentences]
    kept = {(row.writer, row.estate, row.host): (row.seq, row.hash) for row in connection.execute(sa.select(chains))}
    wrong = [key for key in kept.keys() | heads.keys() if kept.get(key) != heads.get(key)]
    found += [finding.line() for finding in integrity.verify(connection).findings]
    return found + [f"{key}: its head is {kept.get(key)}, its last event {heads.get(key)}" for key in wrong]


def _follow(links: list[dict[str, Any]]) -> tuple[tuple[int, str], list[str]]:
    last, found = "", []
    for place, row in enumerate(links, start=1):
        if row["seq"] != place or row["hash"] != link(last, row):
            found.append(f"link {row['seq']} at place {place} does not follow")
        last = row["hash"]
    return (len(links), last), found
