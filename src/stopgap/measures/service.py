"""What the command asks: a report over the whole ledger, read a row at a time. Raises LedgerError, BadSpan."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from stopgap.ledger.store import exists, open_ledger, reading
from stopgap.measures import rows
from stopgap.measures.exposure import Exposure
from stopgap.measures.groups import GROUPS
from stopgap.measures.pastdue import overdue_by
from stopgap.measures.report import Report, Span
from stopgap.risk.kept import doubts, kept_feeds, read_feeds
from stopgap.risk.knowledge import read_remedies
from stopgap.risk.order import Judge
from stopgap.risk.policy import Policy

DAYS = 90  # of exposure over time, where nothing else is asked for
MOST_DAYS = 3660
ENDLESS = 2**62


class BadSpan(ValueError):
    """Dates that make no span: one sentence."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Dates are days in UTC, both included; None: from the first, to today. `by`: a key of GROUPS, or "" for none."""

    by: str = ""
    since: date | None = None
    until: date | None = None
    remedy: str = ""
    estate: str = ""


def measured(asked: Asked, policy: Policy, now: datetime) -> Report:
    """Empty where there is no ledger yet."""
    first, last = days_shown(asked, now.date())
    exposure, seconds = Exposure(first, last, int(now.timestamp())), int(now.timestamp())
    if not exists():
        return Report(span_of(asked, now.date()), exposure, seconds, lambda row: None)
    with reading(open_ledger()) as connection:
        remedies = read_remedies(connection, rows.remedies(connection, estate=asked.estate, remedy=asked.remedy))
        feeds = read_feeds(connection, (name for facts in remedies.values() for name in facts.cves))
        overdue = overdue_by(Judge(remedies, feeds, policy, now))
        group_of = GROUPS[asked.by](remedies) if asked.by else None
        report = Report(span_of(asked, now.date()), exposure, seconds, overdue, group_of)
        for row in rows.affected(connection, estate=asked.estate, remedy=asked.remedy):
            report.add(row)
        report.doubts = tuple(doubts(kept_feeds(connection), now))
    return report


def span_of(asked: Asked, today: date) -> Span:
    begin = _midnight(asked.since) if asked.since else 0
    return Span(begin, _midnight(asked.until + timedelta(days=1)) if asked.until and asked.until < today else ENDLESS)


def days_shown(asked: Asked, today: date) -> tuple[date, date]:
    """Of exposure over time. Raises BadSpan."""
    last = min(asked.until or today, today)
    first = asked.since or date.fromordinal(max(1, last.toordinal() - DAYS + 1))
    if first > today:
        raise BadSpan(f"--since {first} is still to come: today is {today} (UTC)")
    if first > last:
        raise BadSpan(f"--since {first} is after --until {last}")
    if (last - first).days >= MOST_DAYS:
        raise BadSpan(f"--since {first} is more than {MOST_DAYS} days before {last}: take a later one")
    return first, last


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
