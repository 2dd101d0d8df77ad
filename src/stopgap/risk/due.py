"""When a case has to be closed, and why: CISA's table, KEV's own date, the site's policy; the earliest wins.

Pure: facts and `now` come in, a date with its whole derivation goes out. A due date is the end of that day, UTC.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from stopgap.risk import bod
from stopgap.risk.bod import Timeline
from stopgap.risk.facts import Facts, Known
from stopgap.risk.policy import Policy, Rule


@dataclass(frozen=True, slots=True)
class Candidate:
    """One date a case might be due on; None is "with the next upgrade". `used` is False for one that is only told."""

    basis: str  # bod | kev | policy
    due: date | None
    counted_from: date | None
    days: int | None
    why: str
    source: str
    used: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """`due_at` is None for "with the next upgrade". `forensics`: look for a break-in before the fix wipes traces."""

    due_at: datetime | None
    basis: str
    days: int | None
    forensics: bool
    overdue: bool
    decided_by: Candidate
    candidates: tuple[Candidate, ...]
    facts: tuple[Known, ...]


@dataclass(frozen=True, slots=True)
class Dates:
    """All dates a case might be due on, and the one that decides."""

    candidates: tuple[Candidate, ...]
    decided_by: Candidate
    due_at: datetime | None
    forensics: bool


def find_dates(facts: Facts, known_since: date, policy: Policy) -> Dates:
    """`known_since`: the day this host was first known to be affected, in the present episode."""
    candidates = tuple(_candidates(facts, known_since, policy))
    decider = min((one for one in candidates if one.used), key=_earliest)
    forensics = _timeline(facts, policy, kev=bool(facts.kev))[0].forensics
    return Dates(candidates, decider, end_of(decider.due) if decider.due else None, forensics)


def as_due(dates: Dates, facts: Facts, now: datetime) -> Due:
    decider = dates.decided_by
    return Due(
        due_at=dates.due_at,
        basis=decider.basis,
        days=decider.days,
        forensics=dates.forensics,
        overdue=dates.due_at is not None and now > dates.due_at,
        decided_by=decider,
        candidates=dates.candidates,
        facts=facts.told,
    )


def _earliest(candidate: Candidate) -> tuple[date, int]:
    """No date is later than every date. Of two on one day the shorter time counts: it says more."""
    return candidate.due or date.max, candidate.days if candidate.days is not None else 10**6


def _candidates(facts: Facts, known_since: date, policy: Policy) -> Iterator[Candidate]:
    if not facts.kev:
        yield _counted(facts, policy, known_since, kev=False)
        return
    added = min(date.fromisoformat(entry["added"]) for entry in facts.kev)
    if added > known_since:
        # What was due before the CVE was listed stays due then: getting worse gives nobody more time.
        yield _counted(facts, policy, known_since, kev=False)
    yield _counted(facts, policy, max(added, known_since), kev=True)
    for entry in facts.kev:
        yield _own_date(entry, facts.kev_source, known_since, policy)


def _counted(facts: Facts, policy: Policy, start: date, *, kev: bool) -> Candidate:
    timeline, basis, why, source = _timeline(facts, policy, kev=kev)
    due = None if timeline.days is None else start + timedelta(days=timeline.days)
    return Candidate(basis, due, None if due is None else start, timeline.days, why, source)


def _timeline(facts: Facts, policy: Policy, *, kev: bool) -> tuple[Timeline, str, str, str]:
    """How long it may take, (timeline, basis, why, source): the site's first rule that fits, else CISA's table."""
    for number, rule in enumerate(policy.rules, start=1):
        if fits(rule, facts, kev=kev):
            return Timeline(rule.days, rule.forensics), "policy", rule.why, f"site policy, rule {number}"
    row = {
        "kev": kev,
        "exposed": facts.exposure == "internet",
        "automatable": facts.automatable,
        "total": facts.technical_impact == "total",
    }
    return bod.timeline(**row), "bod", bod.row_of(**row), bod.SOURCE


def _own_date(listed: Mapping[str, Any], source: str, known_since: date, policy: Policy) -> Candidate:
    """KEV's dueDate. One that passed before we knew the host is not used: it was due of those who knew, and
    as a date of ours it would only say that every old CVE is overdue the day it is found."""
    due = date.fromisoformat(listed["due"])
    used = policy.kev_due_date == "always" or (policy.kev_due_date == "earliest" and due >= known_since)
    why = f"KEV's own due date for {listed['cve']}"
    if policy.kev_due_date == "ignore":
        why += ", ignored by the site's policy"
    elif due < known_since:
        why += f", which had passed when this host was first known to be affected, on {known_since}"
    return Candidate("kev", due, None, None, why, source, used)


def fits(rule: Rule, facts: Facts, *, kev: bool) -> bool:
    when = rule.when
    if when.epss_at_least is not None and (facts.epss is None or facts.epss < when.epss_at_least):
        return False
    pairs = (
        (when.kev, kev),
        (when.exposure, facts.exposure),
        (when.criticality, facts.criticality),
        (when.severity, facts.severity),
        (when.automatable, facts.automatable),
        (when.technical_impact, facts.technical_impact),
        (when.estate, facts.estate),
        (when.owner, facts.owner),
    )
    names = [when.remedy] if isinstance(when.remedy, str) else when.remedy or []
    named = when.remedy is None or not facts.names.isdisjoint(map(str.casefold, names))
    return named and all(_agrees(wanted, value) for wanted, value in pairs)


def _agrees(wanted: object, value: object) -> bool:
    return wanted is None or (value in wanted if isinstance(wanted, list) else value == wanted)


def end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)


def candidate_sentence(one: Candidate) -> str:
    if one.due is None:
        return f"With the next upgrade: {one.why} ({one.source})."
    counted = "" if one.counted_from is None else f", {_days(one.days or 0)} from {one.counted_from}"
    return f"{one.due}{counted}: {one.why} ({one.source})."


def decision_sentence(due: Due) -> str:
    decider = due.decided_by
    when = "with the next upgrade, on no fixed day" if decider.due is None else f"by the end of {decider.due} UTC"
    several = sum(one.used for one in due.candidates) > 1
    return f"Due {when}" + (": the earliest of these dates." if several else ".")


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
