"""What commands ask about risk: each opens the ledger, does one thing, closes it. Raises RiskError or LedgerError."""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from stopgap.ledger import book
from stopgap.ledger.case import Case, as_of
from stopgap.ledger.events import TIME_FORMAT, clean
from stopgap.ledger.store import exists, writing_ledger
from stopgap.risk import kept as shelf
from stopgap.risk import policy as site
from stopgap.risk.cases import hosts_like, open_cases
from stopgap.risk.errors import BadFeed, FeedUnavailable, UnknownCase
from stopgap.risk.explain import Story
from stopgap.risk.facts import RemedyFacts
from stopgap.risk.feeds import FEEDS
from stopgap.risk.fetch import fetch, shown
from stopgap.risk.kept import Kept
from stopgap.risk.knowledge import read_remedies
from stopgap.risk.order import Judge, Ranked, order_of_work
from stopgap.risk.policy import Policy

POLICY = "STOPGAP_POLICY"


@dataclass(frozen=True, slots=True)
class Updated:
    """A feed that was taken over, the one before it, and how many of its entries are not about a CVE."""

    feed: str
    source: str
    dated: str
    entries: int
    skipped: int
    before: Kept | None


@dataclass(frozen=True, slots=True)
class Work:
    """Open cases in the order of work; `doubts` are sentences about the feeds it rests on."""

    ranked: list[Ranked]
    doubts: tuple[str, ...]
    now: datetime


def update_feed(name: str, source: str, now: datetime, *, force: bool = False) -> Updated:
    """Raises BadFeed or FeedUnavailable, with the source and what stays in place; the kept feed is then untouched."""
    feed = FEEDS[name]
    try:
        data = fetch(source)
        parsed = feed.parse(data)
        digest = shelf.digest_of(data)
        with writing_ledger() as connection:
            before = shelf.keep(connection, feed, parsed, source=_told(source), digest=digest, now=now, force=force)
    except (BadFeed, FeedUnavailable) as error:
        raise type(error)(f"{_told(source)}: {error}. {_stays(name)}") from None
    dated = parsed.dated.strftime(TIME_FORMAT)
    return Updated(name, _told(source), dated, len(parsed.facts), parsed.skipped, before)


def kept_feeds() -> dict[str, Kept]:
    with _reading() as connection:
        return {} if connection is None else shelf.kept_feeds(connection)


def find_policy(given: Path | None) -> Policy:
    """`--policy`, else the file that STOPGAP_POLICY names, else CISA's table alone. Raises InvalidPolicy."""
    named = given or os.environ.get(POLICY)
    return site.load_policy(Path(named)) if named else site.NONE


def work(policy: Policy, now: datetime, **filters: str) -> Work:
    """Every open case that the filters (estate, host, remedy, state) let through."""
    with _reading() as connection:
        if connection is None:
            return Work([], (), now)
        found = list(open_cases(connection, now, **filters))
        judge, kept = judge_of(connection, {one.remedy for one in found}, policy, now)
        return Work(order_of_work(found, judge), tuple(shelf.doubts(kept, now)) if found else (), now)


def explain(host: str, vulnerability: str, policy: Policy, now: datetime, estate: str = "") -> Story:
    """Raises UnknownCase with near names."""
    with _reading() as connection:
        if connection is None:
            raise UnknownCase("the ledger is empty: `stopgap assess REMEDY -i INVENTORY` writes the first cases")
        cases = book.read_cases(connection, host=host, estate=estate)
        if not cases:
            raise UnknownCase(_no_host(connection, host, estate))
        remedies = read_remedies(connection, {one.remedy for one in cases})
        case = as_of(_named(cases, remedies, host, vulnerability), now)
        judge, kept = judge_of(connection, {case.remedy}, policy, now)
        return Story(case, remedies[case.remedy], judge.judge(case), tuple(shelf.doubts(kept, now)), now, estate)


def judge_of(connection: sa.Connection, ids: set[str], policy: Policy, now: datetime) -> tuple[Judge, dict[str, Kept]]:
    remedies = read_remedies(connection, ids)
    names = {name for remedy in remedies.values() for name in remedy.cves}
    feeds = shelf.read_feeds(connection, names)
    return Judge(remedies, feeds, policy, now), shelf.kept_feeds(connection)


@contextmanager
def _reading() -> Iterator[sa.Connection | None]:
    """None where there is no ledger yet: reading makes none."""
    if not exists():
        yield None
        return
    with writing_ledger() as connection:
        yield connection


def _named(cases: list[Case], remedies: dict[str, RemedyFacts], host: str, wanted: str) -> Case:
    """The one case of that remedy, else of that alias."""
    key = wanted.strip().casefold()
    found = [one for one in cases if one.remedy.casefold() == key]
    found = found or [one for one in cases if key in {name.casefold() for name in remedies[one.remedy].aliases}]
    if len(found) == 1:
        return found[0]
    if len({one.estate for one in found}) > 1:
        estates = ", ".join(sorted({one.estate for one in found}))
        raise UnknownCase(f"{clean(host, 80)} is in several estates ({estates}): say which with --estate")
    if found:
        names = ", ".join(one.remedy for one in found)
        raise UnknownCase(f"'{clean(wanted, 80)}' is an alias of several remedies ({names}): name the one you mean")
    known = sorted({one.remedy for one in cases})
    some = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
    hint = _near(wanted, [name for remedy in remedies.values() for name in remedy.names])
    raise UnknownCase(f"no case of '{clean(wanted, 80)}' on {clean(host, 80)}{hint}; its cases: {some}")


def _no_host(connection: sa.Connection, host: str, estate: str) -> str:
    where = f" in estate '{clean(estate, 80)}'" if estate else ""
    return f"the ledger has no host '{clean(host, 80)}'{where}{_near(host, hosts_like(connection, host))}"


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"; near: {', '.join(close)}" if close else ""


def _told(source: str) -> str:
    return clean(shown(source), 1000)


def _stays(name: str) -> str:
    kept = kept_feeds().get(name)
    return f"What was kept stays: {kept.told}" if kept else "Nothing is kept yet"
