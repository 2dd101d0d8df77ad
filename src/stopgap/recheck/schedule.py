"""When a case is to be proven again. Pure: what the ledger knows and `now` come in, what is due goes out, with why."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from stopgap.ledger.case import ago
from stopgap.ledger.events import spelled
from stopgap.risk.due import Due
from stopgap.risk.order import Judge
from stopgap.risk.policy import Recheck

SPREAD = 0.25  # of the interval, at most, that a host is asked early: hosts proven together drift apart
DAY = timedelta(days=1)
Key = tuple[str, str, str]  # estate, host, remedy


@dataclass(frozen=True, slots=True)
class Standing:
    """A case that rests on a proof: something is in force, or a fix is on disk. See order.Subject.

    `closed_at` is never told: a fixed case is weighed by what it would be if its fix were gone.
    """

    estate: str
    host: str
    remedy: str
    state: str
    flags: tuple[str, ...]
    exposed_at: str  # where nobody knows, now
    answered_at: str | None
    accepted_until: str | None
    exposure: str
    criticality: str
    owner: str
    closed_at: None = None

    @property
    def key(self) -> Key:
        return self.estate, self.host, self.remedy


@dataclass(frozen=True, slots=True)
class DueProof:
    """`asked_at`: when it was last asked for, None if not within the longest interval. `late` is 1 when just due."""

    case: Standing
    every: timedelta
    days: int | None  # it may stay open; None until the next upgrade
    asked_at: datetime | None
    late: float


def due_proofs(
    cases: Iterable[Standing], asked: Mapping[Key, datetime], judge: Judge, rules: list[Recheck], now: datetime
) -> list[DueProof]:
    """What is due, the latest first, and of those that are equally late what is wanted more often."""
    found = [_weighed(case, asked.get(case.key), judge, rules, now) for case in cases]
    return sorted((one for one in found if one.late >= 1), key=_order)


def _order(one: DueProof) -> tuple[float, timedelta, Key]:
    return -one.late, one.every, one.case.key


def _weighed(case: Standing, asked_at: datetime | None, judge: Judge, rules: list[Recheck], now: datetime) -> DueProof:
    days = days_allowed(judge.judge(case).due, case)
    every = timedelta(seconds=interval(days, rules))
    late = float("inf") if asked_at is None else (now - asked_at) / patience(case, every, asked_at)
    return DueProof(case, every, days, asked_at, late)


def days_allowed(due: Due | None, case: Standing) -> int | None:
    """How long the case may stay open, by the date that decides; KEV's own date counts from when it was exposed."""
    if due is None or due.due_at is None:
        return None
    if due.days is not None:
        return due.days
    return max(0, (due.due_at.date() - date.fromisoformat(case.exposed_at[:10])).days)


def interval(days: int | None, rules: list[Recheck]) -> int:
    """Seconds that a proof holds. The last rule is for all the rest."""
    return next(rule.every for rule in rules if rule.days is None or (days is not None and days <= rule.days))


def patience(case: Standing, every: timedelta, asked_at: datetime) -> timedelta:
    """From one asking to the next. Who does not answer is asked ever more rarely, once a day at the rarest."""
    wait = max(every, min(DAY, silence(case, asked_at) / 4))
    return wait * (1 - SPREAD * share(case.estate, case.host))


def silence(case: Standing, asked_at: datetime) -> timedelta:
    """How long the host had been silent when it was last asked."""
    if case.answered_at is None:
        return timedelta()
    return max(timedelta(), asked_at - datetime.fromisoformat(case.answered_at))


def share(estate: str, host: str) -> float:
    """A number from 0 to 1 that is the host's own, the same in every run."""
    digest = hashlib.sha256(f"{estate}\0{host}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def why(one: DueProof, proven_at: str | None, now: datetime) -> str:
    """`proven 7h ago; wanted every 6h, as it may stay open for 14 days`"""
    told = f"proven {ago(proven_at, now)}" if proven_at else "never proven"
    if one.asked_at and silence(one.case, one.asked_at):
        told += f", asked in vain {ago(spelled(one.asked_at), now)}"
    return f"{told}; wanted every {_short(one.every)}, as it {_may_stay_open(one.days)}"


def _may_stay_open(days: int | None) -> str:
    if days is None:
        return "may wait for the next upgrade"
    return f"may stay open for {days} day{'s' * (days != 1)}"


def _short(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 86400}d" if seconds % 86400 == 0 else f"{seconds // 3600}h"
