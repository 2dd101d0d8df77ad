"""Accepting the risk of open cases: by whom, why and until when, as events of their own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase

from stopgap.ledger import book, say
from stopgap.ledger.case import CLOSED, Case
from stopgap.ledger.errors import BadWord, NoSuchCase
from stopgap.ledger.events import Event, clean, spelled
from stopgap.ledger.store import exists, open_ledger, reading, writing

LONGEST = timedelta(days=366)
_DURATION = re.compile(r"(\d{1,6})([mhdw])")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d")  # other spellings of a mere day would end as it begins
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of the cases. `until` is None where an acceptance is taken back."""

    who: str
    why: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`passed_over` are cases the pattern takes in that there is nothing to accept of."""

    cases: tuple[Case, ...]
    passed_over: tuple[Case, ...]


def accept(hosts: str, remedy: str, estate: str, words: Words, now: datetime) -> Accepted:
    """All of it or nothing. `hosts`: one host, or a pattern (`all`, `web*`). Raises LedgerError."""
    if not exists():
        raise NoSuchCase("the ledger is empty: `stopgap assess REMEDY -i INVENTORY` writes the first cases")
    engine = open_ledger()
    with reading(engine) as connection:
        named = _remedy(book.remedies(connection), remedy)
        cases = book.read_cases(connection, estate=estate, remedy=named, now=now)
    chosen, others = _choose(cases, hosts, named, words)
    run = say.new_run(now)
    with writing(engine) as connection:
        book.record(connection, [_event(case, words, run, now) for case in chosen])
    return Accepted(tuple(chosen), tuple(others))


def parse_until(text: str, now: datetime) -> datetime:
    """A day (to its end, UTC), a moment, or a time from now such as 14d. Raises BadWord."""
    moment = _moment(text.strip(), now)
    if moment is None:
        raise BadWord(f"until '{clean(text, 40)}' is no date: say 2026-12-24, 2026-12-24T18:00Z, 14d or 12h")
    if moment <= now:
        raise BadWord(f"until {spelled(moment)} is past: an acceptance ends in the future")
    if moment > now + LONGEST:
        raise BadWord(f"until {spelled(moment)[:10]} is more than a year away: accept it for a year, then look again")
    return moment


def _moment(text: str, now: datetime) -> datetime | None:
    duration = _DURATION.fullmatch(text)
    try:
        if duration:
            return now + timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.combine(date.fromisoformat(text), datetime.max.time(), UTC)
        moment = datetime.fromisoformat(text) if _MOMENT.match(text) else None
        if moment is None or not moment.tzinfo:
            return moment and moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _remedy(known: list[str], wanted: str) -> str:
    """As the ledger spells it."""
    found = [name for name in known if name.casefold() == wanted.strip().casefold()]
    if not found:
        raise NoSuchCase(f"no case of '{clean(wanted, 80)}' in the ledger{_near(wanted, known)}")
    return wanted if wanted in found else found[0]


def _choose(cases: list[Case], hosts: str, remedy: str, words: Words) -> tuple[list[Case], list[Case]]:
    wide = hosts == "all" or any(mark in hosts for mark in "*?[")
    found = [one for one in cases if hosts == "all" or one.host == hosts or (wide and fnmatchcase(one.host, hosts))]
    if not found:
        near = _near(hosts, [one.host for one in cases])
        raise NoSuchCase(f"no case of {remedy} on '{clean(hosts, 80)}'{near}")
    if not wide and len(found) > 1:
        estates = ", ".join(sorted(one.estate for one in found))
        raise NoSuchCase(f"{found[0].host} is in several estates ({estates}): say which with --estate")
    chosen = [one for one in found if _applies(one, words)]
    if not chosen:
        raise NoSuchCase(_nothing(found, words))
    return chosen, [one for one in found if not _applies(one, words)]


def _applies(case: Case, words: Words) -> bool:
    return case.acceptance is not None if words.until is None else case.state not in CLOSED


def _nothing(found: Sequence[Case], words: Words) -> str:
    which = f"{found[0].remedy} on {found[0].host}" if len(found) == 1 else f"{len(found)} cases of {found[0].remedy}"
    if words.until is None:
        return f"{which}: no acceptance to take back"
    state = f"{found[0].state}, " if len(found) == 1 else ""
    return f"{which}: {state}closed, there is no risk to accept"


def _near(word: str, known: Sequence[str]) -> str:
    by_lower = {name.casefold(): name for name in known}
    near = get_close_matches(word.strip().casefold(), by_lower, n=3)
    return f"; did you mean {', '.join(by_lower[name] for name in near)}?" if near else ""


def _event(case: Case, words: Words, run: str, now: datetime) -> Event:
    taken_back = words.until is None
    return say.make_event(
        "accepted",
        "withdrawn" if taken_back else "accepted",
        now=now,
        who=words.who,
        run=run,
        estate=case.estate,
        host=case.host,
        remedy=case.remedy,
        revision=case.revision,
        reason=words.why,
        evidence={} if words.until is None else {"until": spelled(words.until)},
    )
