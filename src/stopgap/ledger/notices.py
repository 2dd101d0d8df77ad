"""What the machines behind the names tell: hosts that were rebuilt, renamed or cloned. Told, never merged.

Pure but for the reading at its end. A name stands for the machine that it answered as last.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from stopgap.ledger.asking import Asked
from stopgap.ledger.case import CLOSED
from stopgap.ledger.events import spelled

KINDS = ("rebuilt", "cloned", "renamed")
RECENT = timedelta(days=2)  # what was seen since then is still seen
MOST = 200  # machines, and names, that are looked at closely; in a sane fleet there are none
NAMES_SHOWN = 3


class Name(NamedTuple):
    estate: str
    host: str


class Seen(NamedTuple):
    """One machine under one name. Times are text as in events."""

    name: Name
    host_id: str
    first_seen: str
    last_seen: str


@dataclass(frozen=True, slots=True)
class Owing:
    """What the ledger holds of a name; `answered` has, for each case, when its host last answered about it, if ever."""

    open: int = 0
    held: int = 0
    retired: bool = False
    answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """`others` are the names that it shares its machine with, or whose machine it has now."""

    kind: str
    name: Name
    others: tuple[Name, ...]
    since: str
    sentence: str


def notices(seen: Iterable[Seen], owing: Mapping[Name, Owing], now: datetime) -> list[Notice]:
    """In the order of KINDS, then by name. `owing` has the names that the ledger has cases of."""
    of_name: dict[Name, list[Seen]] = defaultdict(list)
    for one in sorted(seen, key=_lately):
        of_name[one.name].append(one)
    of_machine: dict[str, list[Seen]] = defaultdict(list)
    for present in sorted((spans[-1] for spans in of_name.values()), key=_lately):
        of_machine[present.host_id].append(present)
    several = len({name.estate for name in of_name}) > 1
    tell = Teller(owing, several, spelled(now - RECENT))
    found = [notice for group in of_machine.values() for notice in tell.shared(group)]
    found += [notice for spans in of_name.values() for notice in tell.rebuilt(spans, of_name)]
    return sorted(found, key=lambda notice: (KINDS.index(notice.kind), notice.name, notice.since))


def _lately(one: Seen) -> tuple[str, str, Name, str]:
    return one.last_seen, one.first_seen, one.name, one.host_id


class Teller:
    """Finds and words; with the estate before each name where there are several."""

    def __init__(self, owing: Mapping[Name, Owing], several: bool, recent: str) -> None:
        self.owing, self.several, self.recent = owing, several, recent

    def shared(self, group: list[Seen]) -> Iterator[Notice]:
        """Names whose machine is the same one, the last heard at the end."""
        group = [one for one in group if not self._of(one.name).retired]
        if not group:
            return
        newest = group[-1]
        beside = [one for one in group[:-1] if one.last_seen >= newest.first_seen and self._is_used(one)]
        if beside:
            yield self._cloned([*beside, newest])
        for one in group[:-1]:
            if one.last_seen < newest.first_seen and self._owes(one.name):
                yield self._renamed(one, newest)

    def rebuilt(self, spans: list[Seen], of_name: Mapping[Name, list[Seen]]) -> Iterator[Notice]:
        """One name under which several machines answered, the last heard at the end."""
        if len(spans) < 2 or self._of(spans[-1].name).retired:
            return
        before, now = spans[-2:]
        in_turn = before.last_seen > max(now.first_seen, self.recent)
        since = max(now.first_seen, before.last_seen)
        waiting = sum(moment < since for moment in self._of(now.name).answered)
        if not (waiting or in_turn):
            return
        was = tuple(
            name
            for name, others in of_name.items()
            if name != now.name and any(one.host_id == now.host_id for one in others)
        )
        yield Notice("rebuilt", now.name, was, now.first_seen, self._how_rebuilt(now, was, waiting, in_turn))

    def _how_rebuilt(self, now: Seen, was: tuple[Name, ...], waiting: int, in_turn: bool) -> str:
        name = self._name(now.name)
        if in_turn:
            return (
                f"{name} answers as one machine and then as another, in turn: several machines behind one name. What "
                "is proven of one says nothing of the other: give each a name of its own in the inventory."
            )
        known = f", and that machine is known as {self._names(was)}" if was else ""
        return (
            f"{name} answers as another machine since {_day(now.first_seen)}: it was rebuilt{known}. What was proven "
            f"before says nothing of it; {_many(waiting, 'case')} {_wait(waiting)}: assess it again "
            f"(`stopgap assess -l {now.name.host}`)."
        )

    def _cloned(self, group: list[Seen]) -> Notice:
        names = tuple(sorted(one.name for one in group))
        since = max(one.first_seen for one in group)
        sentence = (
            f"{self._names(names)} answer with the same machine-id, all still seen: cloned, or one machine under "
            "several names. Each name keeps its own cases and its own debt. Give a clone an id of its own (there, "
            "remove /etc/machine-id and run `systemd-machine-id-setup`), or take all names but one from the inventory."
        )
        return Notice("cloned", names[0], names[1:], since, sentence)

    def _renamed(self, old: Seen, new: Seen) -> Notice:
        owed, before, now = self._of(old.name), self._name(old.name), self._name(new.name)
        estate = f" --estate {old.name.estate}" if self.several else ""
        sentence = (
            f"{now} answers with the machine-id of {before}, last heard {_day(old.last_seen)}: renamed or cloned. "
            f"{self._kept(owed, before)} until {before} answers again, or until somebody says it is gone: "
            f"`stopgap ledger retire {old.name.host}{estate} --reason WHY`. `stopgap sync -l {new.name.host}` tells "
            f"what {now} holds."
        )
        return Notice("renamed", new.name, (old.name,), new.first_seen, sentence)

    def _kept(self, owed: Owing, name: str) -> str:
        held = f"The {_many(owed.held, 'mitigation')} and the " if owed.held else "The "
        stay = "stays" if not owed.held and owed.open == 1 else "stay"
        return f"{held}{_many(owed.open, 'open case')} the ledger holds for {name} {stay} listed under {name}"

    def _is_used(self, one: Seen) -> bool:
        """Not a name that was tried once and never assessed."""
        return one.name in self.owing or one.last_seen >= self.recent

    def _owes(self, name: Name) -> bool:
        owed = self._of(name)
        return bool(owed.open or owed.held)

    def _of(self, name: Name) -> Owing:
        return self.owing.get(name, Owing())

    def _names(self, names: tuple[Name, ...]) -> str:
        shown = [self._name(name) for name in names[:NAMES_SHOWN]]
        more = len(names) - len(shown)
        if more:
            return f"{', '.join(shown)} and {more} more"
        return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)

    def _name(self, name: Name) -> str:
        return f"{name.estate}/{name.host}" if self.several else name.host


def _day(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


# --- reading -------------------------------------------------------------------------------------------------------


REBUILT = """
    SELECT estate, host FROM machines GROUP BY estate, host HAVING COUNT(*) > 1 ORDER BY estate, host LIMIT :most
"""
BESIDE = """
    SELECT DISTINCT estate, host FROM machines WHERE host_id IN (
        SELECT host_id FROM machines GROUP BY host_id HAVING COUNT(*) > 1 ORDER BY host_id LIMIT :most
    ) ORDER BY estate, host LIMIT :most_beside
"""


def read_notices(ledger: Asked, now: datetime, *, estate: str = "", host: str = "") -> list[Notice]:
    """Of the whole ledger; with a filter those that name this estate or host."""
    suspects = _suspects(ledger)
    found = notices(_seen(ledger, suspects), _owing(ledger, suspects), now)
    return [one for one in found if _names_one_of(one, estate, host)]


def _names_one_of(notice: Notice, estate: str, host: str) -> bool:
    return any(
        (not estate or name.estate == estate) and (not host or name.host == host)
        for name in (notice.name, *notice.others)
    )


def _suspects(ledger: Asked) -> list[Name]:
    """Names with several machines, and names whose machine has several."""
    limits = {"most": MOST, "most_beside": MOST * NAMES_SHOWN}
    return sorted({Name(*row) for query in (REBUILT, BESIDE) for row in ledger.execute(query, limits)})


def _seen(ledger: Asked, suspects: Iterable[Name]) -> list[Seen]:
    query = "SELECT host_id, first_seen, last_seen FROM machines WHERE estate = :estate AND host = :host"
    return [Seen(name, *row) for name in suspects for row in ledger.execute(query, name._asdict())]


def _owing(ledger: Asked, suspects: Iterable[Name]) -> dict[Name, Owing]:
    query = "SELECT state, held, flags, answered_at FROM cases WHERE estate = :estate AND host = :host"
    told = ((name, list(ledger.execute(query, name._asdict()))) for name in suspects)
    return {
        name: Owing(
            open=sum(state not in CLOSED for state, _, _, _ in rows),
            held=sum(held for _, held, _, _ in rows),
            retired=all('"retired"' in flags for _, _, flags, _ in rows),
            answered=tuple(answered or "" for _, _, _, answered in rows),
        )
        for name, rows in told
        if rows
    }
