"""The feeds that the ledger keeps: put in place whole or not at all, and read by CVE."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from stopgap.ledger.events import TIME_FORMAT
from stopgap.ledger.tables import feed_facts, feeds
from stopgap.risk.errors import BadFeed
from stopgap.risk.facts import Feeds
from stopgap.risk.feeds import FEEDS
from stopgap.risk.feeds.model import CVE, Feed, Parsed

BATCH = 5000  # rows an insert: EPSS has about 300,000
CHUNK = 400  # bound values a statement
AHEAD = timedelta(days=1)  # a feed from the future would keep out every one that follows


@dataclass(frozen=True, slots=True)
class Kept:
    """One feed as it is kept. Times are text as in events."""

    name: str
    source: str
    dated: str
    fetched_at: str
    entries: int
    digest: str

    def age(self, now: datetime) -> timedelta:
        return now - datetime.fromisoformat(self.dated)

    def is_stale(self, now: datetime) -> bool:
        return self.age(now) > FEEDS[self.name].fresh_for

    @property
    def told(self) -> str:
        """`CISA Known Exploited Vulnerabilities of 2026-07-23`"""
        return f"{FEEDS[self.name].title} of {self.dated[:10]}"


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keep(
    connection: sa.Connection, feed: Feed, parsed: Parsed, *, source: str, digest: str, now: datetime, force: bool
) -> Kept | None:
    """Put it in the place of the one before, which is returned. Raises BadFeed when that one is newer.

    The pen is not taken: plays can write meanwhile. Another update of the same feed waits at its row.
    """
    before = kept_feeds(connection).get(feed.name)
    if not force:
        _refuse_future(parsed, now)
    row = {
        "name": feed.name,
        "source": source,
        "dated": parsed.dated.strftime(TIME_FORMAT),
        "fetched_at": now.astimezone(UTC).strftime(TIME_FORMAT),
        "entries": len(parsed.facts),
        "digest": digest,
    }
    if not _put(connection, row, force):
        _refuse_older(parsed, kept_feeds(connection)[feed.name])
    connection.execute(sa.delete(feed_facts).where(feed_facts.c.feed == feed.name))
    for batch in _batches(_rows(feed.name, parsed)):
        connection.execute(sa.insert(feed_facts), batch)
    return before


def _put(connection: sa.Connection, row: dict[str, Any], force: bool) -> bool:
    """False, and nothing done, where the kept one is newer."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(feeds).values(row)
    newer = None if force else feeds.c.dated <= insert.excluded.dated
    changed = {name: insert.excluded[name] for name in row if name != "name"}
    upsert = insert.on_conflict_do_update(index_elements=["name"], set_=changed, where=newer)
    return connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount > 0


def _refuse_future(parsed: Parsed, now: datetime) -> None:
    if parsed.dated > now + AHEAD:
        raise BadFeed(f"it is dated {parsed.dated:%Y-%m-%d}, which is still to come; --force takes it all the same")


def _refuse_older(parsed: Parsed, kept: Kept) -> NoReturn:
    raise BadFeed(
        f"it is of {parsed.dated:%Y-%m-%d %H:%M}, older than the one that is kept, of "
        f"{kept.dated[:10]} {kept.dated[11:16]}; --force goes back to it"
    )


def kept_feeds(connection: sa.Connection) -> dict[str, Kept]:
    """By name; a feed that only another version of stopgap knows is left out."""
    rows = connection.execute(sa.select(feeds).order_by(feeds.c.name)).mappings()
    return {row["name"]: Kept(**row) for row in rows if row["name"] in FEEDS}


def read_feeds(connection: sa.Connection, names: Iterable[str]) -> Feeds:
    """What the kept feeds say of these CVEs; other names are passed over."""
    cves = sorted({name for name in names if CVE.fullmatch(name)})
    kept = kept_feeds(connection)
    sources = {name: kept[name].told if name in kept else "" for name in FEEDS}
    return Feeds(
        kev=_facts(connection, "kev", cves),
        epss=_facts(connection, "epss", cves),
        kev_source=sources["kev"],
        epss_source=sources["epss"],
    )


def doubts(kept: Mapping[str, Kept], now: datetime) -> Iterator[str]:
    """What every answer that rests on the feeds has to say with it: sentences."""
    for name, feed in FEEDS.items():
        if name not in kept:
            yield f"no {feed.title} feed is kept: `stopgap risk update --{name} FILE|URL` ({feed.published_at})"
        elif kept[name].is_stale(now):
            days = kept[name].age(now).days
            yield (
                f"the kept {feed.title} feed is {days} days old, of {kept[name].dated[:10]}: "
                f"`stopgap risk update --{name} FILE|URL` gets a new one"
            )


def _facts(connection: sa.Connection, feed: str, cves: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(cves), CHUNK):
        part = cves[start : start + CHUNK]
        query = sa.select(feed_facts.c.cve, feed_facts.c.facts)
        query = query.where(feed_facts.c.feed == feed, feed_facts.c.cve.in_(part))
        found.update((cve, json.loads(facts)) for cve, facts in connection.execute(query))
    return found


def _rows(name: str, parsed: Parsed) -> Iterator[dict[str, str]]:
    for cve, facts in parsed.facts.items():
        yield {"feed": name, "cve": cve, "facts": json.dumps(facts, separators=(",", ":"))}


def _batches(rows: Iterator[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
