"""Folding news on to what is kept of cases, where that does."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import bulk, folded
from stopgap.ledger import case as case_as
from stopgap.ledger.hosts import Host
from stopgap.ledger.projection import Fold, Key, Told, case_of, fold
from stopgap.ledger.tables import cases, events

REMEDIES_NAMED = 400  # of more than so many, all cases of the hosts are read

_KEPT = sa.select(cases.c.host, cases.c.remedy, cases.c.folded)
_KEPT_OF_REMEDIES = _KEPT.where(cases.c.remedy.in_(sa.bindparam("remedies", expanding=True)))
_LAST_JOURNALS = (
    sa.select(events.c.host, sa.func.max(events.c.at).label("latest"))
    .where(events.c.remedy == "")
    .group_by(events.c.host)
)


def kept_folds(
    connection: sa.Connection, hosts: Iterable[Host], remedies: Collection[str] | None = None
) -> dict[Host, dict[str, str]]:
    """By host and remedy, as text (see `folded`): of these hosts, and at least of these remedies (None: all)."""
    if remedies is None or len(remedies) > REMEDIES_NAMED:
        rows = bulk.of_hosts(connection, _KEPT, cases, hosts)
    else:
        rows = bulk.of_hosts(connection, _KEPT_OF_REMEDIES, cases, hosts, remedies=sorted(remedies))
    found: dict[Host, dict[str, str]] = {}
    for estate, (host, remedy, text) in rows:
        found.setdefault((estate, host), {})[remedy] = text
    return found


def journals_since(connection: sa.Connection, first: Mapping[Host, str], seen: Mapping[Host, str]) -> dict[Host, str]:
    """When hosts were last heard to tell their journal, of those that were heard (`seen`) at or after `first`."""
    late = [host for host, when in first.items() if when <= seen.get(host, "")]
    return {(estate, host): when for estate, (host, when) in bulk.of_hosts(connection, _LAST_JOURNALS, events, late)}


def fold_on(
    told: Mapping[Key, list[Told]], folds: Mapping[Host, Mapping[str, str]], journals: Mapping[Host, str]
) -> tuple[list[bulk.Row], list[Key]]:
    """(rows of the cases that the news change, cases to be projected from all their events). Pure.

    The latter where nothing is kept in a form we know, or something was heard before what is kept: before the last
    event in it, or before a journal (`journals`: the last ones) that may have left no trace in it.
    """
    rows, again = [], []
    for key, news in told.items():
        kept = folds.get(key[:2], {}).get(key[2])
        start = folded.from_text(kept) if kept is not None else Fold()
        if start is None or (kept is not None and _is_late(news, start, journals.get(key[:2], ""))):
            again.append(key)
            continue
        after = fold(start, news)
        if after.place != start.place:
            rows.append(row_of(key, after))
    return bulk.rows_of(cases, rows), again


def row_of(key: Key, told: Fold) -> dict[str, Any]:
    return case_as.to_row(case_of(key, told)) | {"folded": folded.to_text(told)}


def _is_late(news: Iterable[Told], kept: Fold, journal: str) -> bool:
    first = min(one.place for one in news)
    return first <= kept.place or first[0] <= journal
