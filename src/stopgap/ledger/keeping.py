"""Keeping the cases in step with the events: new events are folded on to what is kept, a chunk of cases at a time.

A case is projected from all its events only where that does not do: nothing is kept, the kept fold is of another
format, or something was heard before its last event.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import bulk, folded, machines
from stopgap.ledger import case as cases_as
from stopgap.ledger.events import FIELDS, OF_HOST, OF_MACHINE, Event, is_time
from stopgap.ledger.projection import Fold, Key, Told, case_of, fold, once, tell
from stopgap.ledger.tables import cases, events

CHUNK = 400  # bound values in a list; SQLite's old limit is 999
HOSTS_AT_ONCE = 100  # whose events are in memory together

Host = tuple[str, str]  # estate, host

_EVENT = (*(events.c[name] for name in FIELDS), events.c.recorded_at, events.c.hash)
_EVIDENCE = FIELDS.index("evidence")


# --- which cases an event is about ---------------------------------------------------------------------------------


def touched_by(
    connection: sa.Connection, fresh: Iterable[Event], moved: set[tuple[str, str]] | None = None
) -> set[Key]:
    """What a host's journal holds in all is about each of its cases, and so is that another machine answers;
    knowledge of a remedy about each of that remedy's, and a clock that was ahead about all its run spoke of.

    What machines answered has been observed already; `moved`, of their hosts, may have been asked for as well.
    """
    fresh = list(fresh)
    named = {(event.estate, event.host, event.remedy) for event in fresh if event.remedy and event.host}
    named |= _cases_of_hosts(connection, {(event.estate, event.host) for event in fresh if event.kind in OF_HOST})
    answered = {(event.estate, event.host) for event in fresh if event.machine}
    named |= _cases_of_hosts(connection, machines.moved(connection, answered) if moved is None else answered & moved)
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


def _cases_of_hosts(connection: sa.Connection, hosts: set[tuple[str, str]]) -> set[Key]:
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
    return own | _cases_of_hosts(connection, hosts) | _cases_of_remedies(connection, remedies)


# --- folding on ----------------------------------------------------------------------------------------------------


def fold_on(connection: sa.Connection, fresh: Sequence[tuple[Event, str, str]]) -> None:
    """These events have just been written: (event, recorded_at, hash). Keep what they make of their cases."""
    told = [event for event, _, _ in fresh if event.kind != "clock"]
    heard_of = {(event.estate, event.host) for event in told if event.host}
    seen = machines.last_seen(connection, heard_of)  # before this
    machines.observe(connection, [(event, recorded_at) for event, recorded_at, _ in fresh])
    unclear = {event.run for event, _, _ in fresh if event.kind == "clock"}
    again = _cases_of_runs(connection, unclear)  # events that were folded already count from another moment now
    moved = machines.moved(connection, heard_of)
    keys = touched_by(connection, told, moved)
    others = {key[:2] for key in keys} - heard_of
    moved |= machines.moved(connection, others)
    seen |= machines.last_seen(connection, others)
    again |= {key for key in keys if key[:2] in moved}  # what other cases heard of its machines counts here too
    refresh(connection, again)
    news = News(connection, fresh)
    for estate, hosts, wanted in _by_hosts(keys - again, CHUNK):
        _fold_on_hosts(connection, estate, hosts, wanted, news, seen)


class News:
    """Told events by what they are about, and those of no host at all: few, read once."""

    def __init__(self, connection: sa.Connection, fresh: Sequence[tuple[Event, str, str]] = ()) -> None:
        self.connection = connection
        self._limits = clock_limits(connection)
        self._of_remedy: dict[str, list[Told]] = {}
        self.fresh: dict[Key, list[Told]] = defaultdict(list)  # by the fields of the event: "" as it has it
        for event, recorded_at, hash_ in fresh:
            self.fresh[event.estate, event.host, event.remedy].append(self.tell(event, recorded_at, hash_))

    def tell(self, event: Event, recorded_at: str, hash_: str) -> Told:
        return tell(event, recorded_at, hash_, self._limits.get(event.run, ""))

    def about(self, key: Key) -> list[Told]:
        """What is new for this case."""
        estate, host, remedy = key
        places = (key, (estate, host, ""), ("", "", remedy))
        return [one for place in places for one in self.fresh.get(place, ())]

    def of_remedy(self, remedy: str) -> list[Told]:
        return self._of_remedy.get(remedy, [])

    def read_remedies(self, remedies: Iterable[str]) -> None:
        wanted = sorted(set(remedies) - self._of_remedy.keys())
        for part in chunks(wanted):
            self._of_remedy.update({remedy: [] for remedy in part})
            for one in self.read(events.c.estate == "", events.c.host == "", events.c.remedy.in_(part)):
                self._of_remedy[one.event.remedy].append(one)

    def read(self, *where: sa.ColumnElement[bool]) -> Iterator[Told]:
        for row in self.connection.execute(sa.select(*_EVENT).where(*where)):
            yield self.tell(_event(row), row[-2], row[-1])


def _fold_on_hosts(
    connection: sa.Connection, estate: str, hosts: list[str], keys: set[Key], news: News, seen: Mapping[Host, str]
) -> None:
    """`seen`: when each host was last heard before the news."""
    kept = _kept_folds(connection, estate, hosts, {remedy for _, _, remedy in keys})
    beside = _all_beside(news, estate, {key for key in keys if key not in kept})
    told = {key: beside[key] if key in beside else news.about(key) for key in keys}
    first = {key: min(one.place for one in told[key]) for key in keys if key in kept}
    again = {key for key, place in first.items() if (before := kept[key]) is None or place <= before.place}
    again |= _before_journals(connection, {key: place[0] for key, place in first.items()}, seen)
    rows = []
    for key in keys - again:
        start = kept.get(key) or Fold()
        after = fold(start, told[key])
        if after.place != start.place:
            rows.append(_row(key, after))
    _write(connection, rows)
    refresh(connection, again, news)


def _before_journals(connection: sa.Connection, first: Mapping[Key, str], seen: Mapping[Host, str]) -> set[Key]:
    """Of cases with the time their news begin: where a journal that was heard later may have left no trace."""
    suspects = {key for key, when in first.items() if when <= seen.get(key[:2], "")}
    latest: dict[Host, str] = {}
    for estate, hosts in by_estate({key[:2] for key in suspects}):
        of_host = (events.c.estate == estate, bulk.one_of(connection, events.c.host, hosts), events.c.remedy == "")
        query = sa.select(events.c.host, sa.func.max(events.c.at)).where(*of_host).group_by(events.c.host)
        latest.update(((estate, host), when) for host, when in connection.execute(query))
    return {key for key in suspects if first[key] <= latest.get(key[:2], "")}


def _kept_folds(connection: sa.Connection, estate: str, hosts: list[str], remedies: set[str]) -> dict[Key, Fold | None]:
    """None where what is kept is no fold of this format."""
    wanted = [cases.c.estate == estate, bulk.one_of(connection, cases.c.host, hosts)]
    if len(remedies) <= CHUNK:
        wanted.append(bulk.one_of(connection, cases.c.remedy, remedies))
    query = sa.select(cases.c.host, cases.c.remedy, cases.c.folded).where(*wanted)
    return {(estate, host, remedy): folded.from_text(text) for host, remedy, text in connection.execute(query)}


def _all_beside(news: News, estate: str, keys: set[Key]) -> dict[Key, list[Told]]:
    """A case nothing is kept of has no events of its own but the fresh ones; its host and its remedy may have."""
    if not keys:
        return {}
    news.read_remedies(remedy for _, _, remedy in keys)
    of_host = defaultdict(list)
    hosts = sorted({host for _, host, _ in keys})
    for one in news.read(events.c.estate == estate, events.c.host.in_(hosts), events.c.remedy == ""):
        of_host[one.event.host].append(one)
    return {key: news.fresh[key] + of_host[key[1]] + news.of_remedy(key[2]) for key in keys}


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
        yield key, _row(key, fold(Fold(), [*told, *of_host[key[1]], *news.of_remedy(key[2])]))


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


def _row(key: Key, told: Fold) -> dict[str, Any]:
    return cases_as.to_row(case_of(key, told)) | {"folded": folded.to_text(told)}


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


def _event(row: sa.Row[Any]) -> Event:
    plain = list(row[: len(FIELDS)])
    plain[_EVIDENCE] = json.loads(plain[_EVIDENCE])
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


def by_estate(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for estate, group in groupby(sorted(pairs), key=lambda pair: pair[0]):
        yield estate, [host for _, host in group]


def chunks(values: list[str], size: int = CHUNK) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
