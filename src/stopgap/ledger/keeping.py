"""Which cases events are about, and cases from all their events: where `folding` news on does not do."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa

from stopgap.ledger import bulk, folded, folding, machines
from stopgap.ledger.errors import LedgerBroken
from stopgap.ledger.events import FIELDS, OF_HOST, OF_MACHINE, Event, clean, is_time
from stopgap.ledger.hosts import Host, by_estate
from stopgap.ledger.projection import Fold, Key, Told, fold, once, tell
from stopgap.ledger.tables import cases, events

T = TypeVar("T")

CHUNK = 400  # bound values in a list; SQLite's old limit is 999
HOSTS_AT_ONCE = 100  # whose events are in memory together

_EVENT = (*(events.c[name] for name in FIELDS), events.c.recorded_at, events.c.hash)
_EVIDENCE = FIELDS.index("evidence")
_OF_HOSTS = sa.select(*_EVENT).where(events.c.remedy == "")


# --- which cases an event is about ---------------------------------------------------------------------------------


def touched_by(connection: sa.Connection, fresh: Iterable[Event]) -> set[Key]:
    """What a host's journal holds in all is about each of its cases, and so is that another machine answers;
    knowledge of a remedy about each of that remedy's, and a clock that was ahead about all its run spoke of.

    What machines answered has been observed already.
    """
    fresh = list(fresh)
    named = {(event.estate, event.host, event.remedy) for event in fresh if event.remedy and event.host}
    named |= cases_of_hosts(connection, {(event.estate, event.host) for event in fresh if event.kind in OF_HOST})
    answered = {(event.estate, event.host) for event in fresh if event.machine}
    named |= cases_of_hosts(connection, machines.moved(connection, answered))
    named |= _cases_of_remedies(connection, _new_knowledge(connection, fresh))
    return named | _cases_of_runs(connection, {event.run for event in fresh if event.kind == "clock"})


def _new_knowledge(connection: sa.Connection, fresh: Iterable[Event]) -> set[str]:
    """Remedies of which more is known now; that of a revision known before says nothing new (see reopening.know)."""
    told = [event for event in fresh if event.kind == "remedy"]
    if not told:
        return set()
    news, known = News(connection), defaultdict[str, list[Told]](list)
    nobody = (events.c.estate == "", events.c.host == "", events.c.kind == "remedy")
    for part in chunks(sorted({event.remedy for event in told})):
        for one in news.read(*nobody, events.c.remedy.in_(part)):
            known[one.event.remedy].append(one)
    return {event.remedy for event in told if _is_news(event, known[event.remedy])}


def _is_news(event: Event, known: Sequence[Told]) -> bool:
    """By the places they count at: a clock that was ahead or behind puts them otherwise than they were heard."""
    own = min((one.place for one in known if one.id == event.id), default=tell(event).place)
    return not any(one.event.revision >= event.revision and one.place < own for one in known if one.id != event.id)


def cases_of_hosts(connection: sa.Connection, hosts: set[tuple[str, str]]) -> set[Key]:
    found: set[Key] = set()
    for estate, names in by_estate(hosts):
        for part in chunks(names):
            query = sa.select(cases.c.host, cases.c.remedy).where(cases.c.estate == estate, cases.c.host.in_(part))
            found.update((estate, host, remedy) for host, remedy in connection.execute(query))
    return found


def _cases_of_remedies(connection: sa.Connection, remedies: set[str]) -> set[Key]:
    found: set[Key] = set()
    for part in chunks(sorted(remedies)):
        query = sa.select(cases.c.estate, cases.c.host, cases.c.remedy).where(cases.c.remedy.in_(part))
        found.update((estate, host, remedy) for estate, host, remedy in connection.execute(query))
    return found


def _cases_of_runs(connection: sa.Connection, runs: set[str]) -> set[Key]:
    named: set[Key] = set()
    for part in chunks(sorted(runs)):
        query = sa.select(events.c.estate, events.c.host, events.c.remedy).where(events.c.run.in_(part)).distinct()
        named.update((estate, host, remedy) for estate, host, remedy in connection.execute(query))
    hosts = {(estate, host) for estate, host, remedy in named if host and not remedy}
    remedies = {remedy for _, host, remedy in named if remedy and not host}
    own = {key for key in named if key[1] and key[2]}
    hosts |= machines.moved(connection, {(estate, host) for estate, host, _ in own})  # which machine answered when
    return own | cases_of_hosts(connection, hosts) | _cases_of_remedies(connection, remedies)


# --- folding on ----------------------------------------------------------------------------------------------------


def fold_on_knowledge(connection: sa.Connection, fresh: Sequence[tuple[Event, str, str]]) -> None:
    """Events of no host have just been written: (event, recorded_at, hash). Keep what they make of their cases."""
    unclear = {event.run for event, _, _ in fresh if event.kind == "clock"}
    again = _cases_of_runs(connection, unclear)  # events that were folded already count from another moment now
    keys = _cases_of_remedies(connection, _new_knowledge(connection, [event for event, _, _ in fresh]))
    moved = machines.moved(connection, {key[:2] for key in keys})
    again |= {key for key in keys if key[:2] in moved}  # what other cases heard of its machines counts here too
    refresh(connection, again)
    news = News(connection)
    told = defaultdict[str, list[Told]](list)
    for event, recorded_at, hash_ in fresh:
        told[event.remedy].append(news.tell(event, recorded_at, hash_))
    earliest = min(one.counted_at for several in told.values() for one in several)
    for estate, hosts, wanted in _by_hosts(keys - again, CHUNK):
        folds = folding.kept_folds(connection, [(estate, host) for host in hosts], told)
        first = dict.fromkeys(((estate, host) for host in hosts), earliest)
        journals = folding.journals_since(connection, first, machines.last_seen(connection, first))
        rows, late = folding.fold_on({key: told[key[2]] for key in wanted}, folds, journals)
        bulk.upsert(connection, cases, rows)
        refresh(connection, set(late), news)


class News:
    """Told events by what they are about, and those of no host at all: few, read once."""

    def __init__(self, connection: sa.Connection, limits: Mapping[str, str] | None = None) -> None:
        self.connection = connection
        self.limits = clock_limits(connection) if limits is None else limits
        self._of_remedy: dict[str, list[Told]] = {}

    def tell(self, event: Event, recorded_at: str, hash_: str) -> Told:
        return tell(event, recorded_at, hash_, self.limits.get(event.run, ""))

    def of_remedy(self, remedy: str) -> list[Told]:
        return self._of_remedy.get(remedy, [])

    def read_remedies(self, remedies: Iterable[str]) -> None:
        wanted = sorted(set(remedies) - self._of_remedy.keys())
        for part in chunks(wanted):
            self._of_remedy.update({remedy: [] for remedy in part})
            for one in self.read(events.c.estate == "", events.c.host == "", events.c.remedy.in_(part)):
                self._of_remedy[one.event.remedy].append(one)

    def read_hosts(self, hosts: Iterable[Host]) -> dict[Host, list[Told]]:
        """What was said of these hosts as a whole."""
        told: dict[Host, list[Told]] = defaultdict(list)
        for estate, row in bulk.of_hosts(self.connection, _OF_HOSTS, events, hosts):
            one = self._tell(row)
            told[estate, one.event.host].append(one)
        return told

    def read(self, *where: sa.ColumnElement[bool]) -> Iterator[Told]:
        for row in self.connection.execute(sa.select(*_EVENT).where(*where)):
            yield self._tell(row)

    def _tell(self, row: Sequence[Any]) -> Told:
        return self.tell(_event(row), row[-2], row[-1])


# --- from all events -----------------------------------------------------------------------------------------------


def refresh(connection: sa.Connection, keys: set[Key], news: News | None = None) -> None:
    """Project these cases from all their events and replace what is kept of them."""
    if not keys:
        return
    news = news or News(connection)
    for estate, hosts, wanted in _by_hosts(keys, HOSTS_AT_ONCE):
        told = projected(news, estate, hosts, {remedy for _, _, remedy in wanted})
        _write(connection, [row for key, row in told if key in wanted])


def refresh_all(connection: sa.Connection) -> int:
    """Returns how many cases there are. None is kept yet."""
    news, count = News(connection), 0
    for estate, hosts in by_estate(_all_hosts(connection)):
        for part in chunks(hosts, HOSTS_AT_ONCE):
            rows = [row for _, row in projected(news, estate, part)]
            _write(connection, rows)
            count += len(rows)
    return count


def differences(connection: sa.Connection) -> list[Key]:
    """Cases whose kept form is not what their events say: always empty, or something is wrong.

    A fold that older code kept says nothing: the case itself has to agree.
    """
    news, wrong = News(connection), []
    every = _all_hosts(connection) | {(row[0], row[1]) for row in connection.execute(_CASE_HOSTS)}
    for estate, hosts in by_estate(every):
        for part in chunks(hosts, HOSTS_AT_ONCE):
            said = dict(projected(news, estate, part))
            kept = _kept_rows(connection, estate, part)
            for key, row in kept.items():
                if key in said and folded.is_older(row["folded"]):
                    row["folded"] = said[key]["folded"]
            wrong += [key for key in said.keys() | kept.keys() if said.get(key) != kept.get(key)]
    return sorted(wrong)


_CASE_HOSTS = sa.select(cases.c.estate, cases.c.host).distinct()


def projected(
    news: News, estate: str, hosts: list[str], remedies: set[str] | None = None
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Each case of these hosts (and remedies) with its row, from all its events."""
    own, of_host = defaultdict(list), defaultdict(list)
    few = _if_few(events.c.remedy, {*remedies, ""}) if remedies else ()
    for one in news.read(events.c.estate == estate, events.c.host.in_(hosts), *few):
        if one.event.remedy:
            own[estate, one.event.host, one.event.remedy].append(one)
        else:
            of_host[one.event.host].append(one)
    for one in _sightings(news, estate, hosts):
        of_host[one.event.host].append(one)
    news.read_remedies(remedy for _, _, remedy in own)
    for key, told in own.items():
        yield key, folding.row_of(key, fold(Fold(), [*told, *of_host[key[1]], *news.of_remedy(key[2])]))


def _sightings(news: News, estate: str, hosts: list[str]) -> Iterator[Told]:
    """Of hosts that moved, each time that another machine answered than before: rebuilt, or two in turn."""
    several = sorted(host for _, host in machines.moved(news.connection, ((estate, host) for host in hosts)))
    told: list[Told] = []
    for part in chunks(several):
        told += news.read(events.c.estate == estate, events.c.host.in_(part), events.c.kind.in_(OF_MACHINE))
    latest: dict[str, str] = {}
    for one in once(sorted(told, key=lambda one: one[:4])):
        host, machine = one.event.host, one.event.machine
        if machine and latest.get(host) != machine:
            latest[host] = machine
            event = machines.sighting(one.event)
            yield one._replace(id=event.id, event=event)


def _kept_rows(connection: sa.Connection, estate: str, hosts: list[str]) -> dict[Key, dict[str, Any]]:
    query = sa.select(cases).where(cases.c.estate == estate, cases.c.host.in_(hosts))
    return {(row["estate"], row["host"], row["remedy"]): dict(row) for row in connection.execute(query).mappings()}


def _all_hosts(connection: sa.Connection) -> set[tuple[str, str]]:
    query = sa.select(events.c.estate, events.c.host).where(events.c.host != "").distinct()
    return {(estate, host) for estate, host in connection.execute(query)}


# --- small parts ---------------------------------------------------------------------------------------------------


def _write(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    bulk.upsert(connection, cases, bulk.rows_of(cases, rows))


def clock_limits(connection: sa.Connection) -> Mapping[str, str]:
    """By run: the moment from which all it said later counts."""
    nobody = (events.c.estate == "", events.c.host == "", events.c.remedy == "", events.c.kind == "clock")
    limits: dict[str, str] = {}
    for (text,) in connection.execute(sa.select(events.c.evidence).where(*nobody)):
        told = json.loads(text)
        run, until = told.get("run"), told.get("until")
        if isinstance(run, str) and isinstance(until, str) and is_time(until):
            limits[run] = min(until, limits.get(run, until))
    return limits


def _event(row: Sequence[Any]) -> Event:
    plain = list(row[: len(FIELDS)])
    try:
        plain[_EVIDENCE] = json.loads(plain[_EVIDENCE])
    except (ValueError, RecursionError):
        plain[_EVIDENCE] = None
    if not isinstance(plain[_EVIDENCE], dict):
        raise LedgerBroken(f"event {clean(str(row[0]), 40)} was edited: `stopgap ledger verify` says what else was")
    return Event(*plain)


def _if_few(column: sa.Column[str], values: set[str]) -> tuple[sa.ColumnElement[bool], ...]:
    return (column.in_(sorted(values)),) if len(values) <= CHUNK else ()


def _by_hosts(keys: set[Key], size: int) -> Iterator[tuple[str, list[str], set[Key]]]:
    """(estate, some of its hosts, their keys), in order: each key is looked at once, however many there are."""
    for estate, of_estate in groupby(sorted(keys), key=lambda key: key[0]):
        of_host = [(host, set(own)) for host, own in groupby(of_estate, key=lambda key: key[1])]
        for start in range(0, len(of_host), size):
            part = of_host[start : start + size]
            yield estate, [host for host, _ in part], set().union(*(own for _, own in part))


def chunks(values: list[T], size: int = CHUNK) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
