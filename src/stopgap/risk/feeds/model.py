"""What every feed is: bytes in, facts by CVE out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stopgap.risk.errors import BadFeed

CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")

Facts = dict[str, Any]  # plain JSON values


@dataclass(frozen=True, slots=True)
class Parsed:
    """`dated` is the feed's own word, UTC. `skipped` counts entries that are not about a CVE."""

    dated: datetime
    facts: dict[str, Facts]
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """`parse` raises BadFeed with what is wrong and where. Older than `fresh_for`, the feed is called stale."""

    name: str
    title: str
    published_at: str
    fresh_for: timedelta
    parse: Callable[[bytes], Parsed]


def as_text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadFeed(f"line {line}: not UTF-8 text") from None


def moment(text: object, where: str) -> datetime:
    """A date and time, in UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        if found:
            found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year < 1000:  # years of three digits are kept with three, and read by nothing
        raise BadFeed(f"{where} {str(text)[:40]!r} is not a date and time")
    return found
