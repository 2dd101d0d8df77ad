"""New events of hosts, a page of hosts at a time: read what is kept, reckon what becomes of it, write that down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from stopgap.ledger import bulk, folding, machines
from stopgap.ledger.events import OF_HOST, Event
from stopgap.ledger.hosts import Host
from stopgap.ledger.keeping import News, cases_of_hosts, chunks, refresh
from stopgap.ledger.links import Head, link_on, read_heads
from stopgap.ledger.projection import Key, Told, tell
from stopgap.ledger.tables import cases, chains, events

HOSTS_AT_ONCE = 1000  # what is kept of so many is in memory together
HOSTS_IN_A_PART = 50  # are reckoned together: what belongs to them stays in the processor's cache

Rows = list[tuple[Any, ...]]
ByHost = dict[Host, list[Event]]


class Kept(NamedTuple):
    """All that is known of the hosts of a page, as it is before it."""

    writer: str
    now: str
    limits: Mapping[str, str]  # by run: the moment from which all it says later counts
    heads: Mapping[Host, Head]
    machines: Mapping[Host, Mapping[str, str]]  # who answered to the name, and when last
    journals: Mapping[Host, str]  # the last one, of hosts that were heard later than they speak now
    folds: Mapping[Host, Mapping[str, str]]  # by remedy
    of_host: Mapping[Host, list[Told]]  # of hosts that have a new case
    of_remedy: Mapping[str, list[Told]]  # of remedies that have a new case


class Reckoned(NamedTuple):
    """Rows to write, and what is to be projected from all events once they are written."""

    events: Rows
    chains: Rows
    machines: Rows
    cases: Rows
    again: list[Key]
    moved: list[Host]  # another machine has answered: all their cases


def write_down(
    connection: sa.Connection, fresh: Sequence[Event], writer: str, now: str, limits: Mapping[str, str]
) -> None:
    """New events of hosts, in the order of their chains."""
    by_host: ByHost = defaultdict(list)
    for event in fresh:
        by_host[event.estate, event.host].append(event)
    hosts = sorted(by_host.items(), key=itemgetter(0))  # neighbours lie together in the indexes
    news = News(connection, limits)
    for page in chunks(hosts, HOSTS_AT_ONCE):
        kept = _read(connection, dict(page), writer, now, news)
        _write(connection, [reckon(kept, dict(part)) for part in chunks(page, HOSTS_IN_A_PART)])


# --- reading -------------------------------------------------------------------------------------------------------


def _read(connection: sa.Connection, page: ByHost, writer: str, now: str, news: News) -> Kept:
    seen = machines.known(connection, page)
    named = _named(page)
    folds = _folds(connection, page, named)
    new = [key for key in named if key[2] not in folds.get(key[:2], ())]
    news.read_remedies(remedy for _, _, remedy in new)
    return Kept(
        writer=writer,
        now=now,
        limits=news.limits,
        heads=read_heads(connection, writer, page),
        machines=seen,
        journals=_journals_since(connection, page, seen, news.limits, now),
        folds=folds,
        of_host=news.read_hosts({key[:2] for key in new}),
        of_remedy={remedy: news.of_remedy(remedy) for _, _, remedy in new},
    )


def _named(page: ByHost) -> set[Key]:
    return {(event.estate, event.host, event.remedy) for told in page.values() for event in told if event.remedy}


def _folds(connection: sa.Connection, page: ByHost, named: set[Key]) -> dict[Host, dict[str, str]]:
    """A journal is about all cases of its host, all else about one."""
    whole = {host for host, told in page.items() if any(event.kind in OF_HOST for event in told)}
    return {
        **folding.kept_folds(connection, whole),
        **folding.kept_folds(connection, page.keys() - whole, {remedy for _, _, remedy in named}),
    }


def _journals_since(
    connection: sa.Connection, page: ByHost, seen: Mapping[Host, Mapping[str, str]], limits: Mapping[str, str], now: str
) -> dict[Host, str]:
    first = {host: _earliest(told, limits, now) for host, told in page.items() if host in seen}
    return folding.journals_since(connection, first, {host: max(several.values()) for host, several in seen.items()})


def _earliest(told: Sequence[Event], limits: Mapping[str, str], now: str) -> str:
    """No later than the moment from which the first of them counts."""
    if limits and any(event.run in limits for event in told):
        return ""
    return min(now, *(event.heard_at for event in told))


# --- reckoning -----------------------------------------------------------------------------------------------------


def reckon(kept: Kept, part: ByHost) -> Reckoned:
    """What becomes of some hosts of the page. Pure."""
    fresh = [event for told in part.values() for event in told]
    linked = link_on(fresh, {host: kept.heads[host] for host in part if host in kept.heads}, kept.writer, kept.now)
    spans = machines.spans(
        (event.estate, event.host, who, min(event.at, kept.now)) for event in fresh if (who := event.machine)
    )
    moved = _moved(kept, part, spans)
    told = _by_case(kept, fresh, linked.hashes)
    settled = {key: news for key, news in told.items() if key[:2] not in moved} if moved else told
    rows, again = folding.fold_on(settled, kept.folds, kept.journals)
    answered = {(row["estate"], row["host"]) for row in spans} if moved else ()
    return Reckoned(
        events=linked.rows,
        chains=[(kept.writer, *host, *head) for host, head in linked.heads.items()],
        machines=machines.rows_of(spans),
        cases=rows,
        again=[*again, *(told.keys() - settled.keys())],
        moved=[host for host in moved if host in answered],
    )


def _moved(kept: Kept, part: ByHost, spans: Sequence[Mapping[str, Any]]) -> set[Host]:
    """Hosts under whose name several machines have answered."""
    known = {host: set(kept.machines[host]) for host in part if host in kept.machines}
    for row in spans:
        known.setdefault((row["estate"], row["host"]), set()).add(row["host_id"])
    return {host for host, several in known.items() if len(several) > 1}


def _by_case(kept: Kept, fresh: Sequence[Event], hashes: Sequence[str]) -> dict[Key, list[Told]]:
    """All that each case has not heard."""
    own, of_host = defaultdict[Key, list[Told]](list), defaultdict[Host, list[Told]](list)
    for event, hash_ in zip(fresh, hashes, strict=True):
        one = tell(event, kept.now, hash_, kept.limits.get(event.run, ""))
        if event.remedy:
            own[event.estate, event.host, event.remedy].append(one)
        else:
            of_host[event.estate, event.host].append(one)
    journalled = {(*host, remedy) for host in of_host for remedy in kept.folds.get(host, ())}  # about all its cases
    return {key: [*own[key], *of_host.get(key[:2], ()), *_beside(kept, key)] for key in own.keys() | journalled}


def _beside(kept: Kept, key: Key) -> list[Told]:
    """Of a case that is not there yet, what was said before of its host and its remedy."""
    if key[2] in kept.folds.get(key[:2], ()):
        return []
    return [*kept.of_host.get(key[:2], ()), *kept.of_remedy.get(key[2], ())]


# --- writing -------------------------------------------------------------------------------------------------------


def _write(connection: sa.Connection, reckoned: Sequence[Reckoned]) -> None:
    """Everything is ready by now: PostgreSQL limits how long it waits for a writer, but not within a COPY."""
    bulk.insert(connection, events, [row for one in reckoned for row in one.events])
    bulk.upsert(connection, chains, [row for one in reckoned for row in one.chains])
    machines.write(connection, [row for one in reckoned for row in one.machines])
    bulk.upsert(connection, cases, [row for one in reckoned for row in one.cases])
    moved = {host for one in reckoned for host in one.moved}
    refresh(connection, {*(key for one in reckoned for key in one.again), *cases_of_hosts(connection, moved)})
