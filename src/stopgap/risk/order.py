"""The order of work over all open cases: the loudest first. Pure; the order is told in docs/reference/risk.md."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, Protocol

from stopgap.ledger.case import CLOSED
from stopgap.ledger.events import TIME_FORMAT
from stopgap.risk.due import Dates, Due, as_due, find_dates
from stopgap.risk.facts import About, Facts, Feeds, RemedyFacts, gather
from stopgap.risk.policy import Policy


class Rank(IntEnum):
    """Before anything else. EXPLOITED is exposed and in KEV; WAITING is all the rest."""

    ALARM = 0
    EXPLOITED = 1
    OVERDUE = 2
    WAITING = 3
    ACCEPTED = 4


ALARMS = ("mitigation_lost", "expired", "regressed")  # flags
WEIGHT = {"critical": 0, "high": 1, "medium": 2, "low": 3}


class Subject(Protocol):
    """What of a case decides: a Case has it, and so has a row of only these columns."""

    @property
    def estate(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def flags(self) -> tuple[str, ...]: ...
    @property
    def exposed_at(self) -> str | None: ...
    @property
    def closed_at(self) -> str | None: ...
    @property
    def accepted_until(self) -> str | None: ...
    @property
    def exposure(self) -> str: ...
    @property
    def criticality(self) -> str: ...
    @property
    def owner(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A case's urgency. `due` is None where nothing is open that is known of."""

    facts: Facts
    due: Due | None


@dataclass(frozen=True, slots=True)
class Ranked:
    case: Subject
    rank: Rank
    judged: Judged

    @property
    def why(self) -> str:
        """`mitigation lost; in KEV since 2021-12-10; BOD 26-04: 3 days and forensic triage`"""
        told = [name.replace("_", " ") for name in ALARMS if name in self.case.flags]
        if self.rank is Rank.ACCEPTED:
            told.append(f"accepted until {str(self.case.accepted_until)[:10]}")
        if self.judged.facts.kev:
            told.append(f"in KEV since {min(entry['added'] for entry in self.judged.facts.kev)}")
        told.append(_decided(self.judged.due) if self.judged.due else nothing_open(self.case))
        return "; ".join(told)

    @property
    def breached(self) -> bool:
        """Past its due date, and nobody has accepted that."""
        return self.rank is not Rank.ACCEPTED and self.judged.due is not None and self.judged.due.overdue


class Judge:
    """Answers for any number of cases, and works out each distinct combination of facts once."""

    def __init__(self, remedies: Mapping[str, RemedyFacts], feeds: Feeds, policy: Policy, now: datetime) -> None:
        self.remedies, self.feeds, self.policy, self.now = remedies, feeds, policy, now
        self.moment = now.astimezone(UTC).strftime(TIME_FORMAT)
        self._asked = asked_of_site(policy)
        self._facts: dict[tuple[str, ...], Facts] = {}
        self._dates: dict[tuple[str, ...], Dates] = {}
        self._judged: dict[tuple[str, ...], Judged] = {}

    def judge(self, case: Subject) -> Judged:
        about = (case.remedy, case.estate, case.exposure, case.criticality, case.owner)
        key = (*about, day_exposed(case))
        if key not in self._judged:
            if about not in self._facts:
                self._facts[about] = self._gathered(*about)
            self._judged[key] = self._found(case, self._facts[about])
        return self._judged[key]

    def is_accepted(self, case: Subject) -> bool:
        return case.accepted_until is not None and case.accepted_until > self.moment

    def _gathered(self, remedy: str, *about: str) -> Facts:
        known = self.remedies.get(remedy) or RemedyFacts(remedy)
        return gather(known, About(*about), self.feeds, self.policy)

    def _found(self, case: Subject, facts: Facts) -> Judged:
        """The dates hang on fewer facts than are told of a case: those are worked out once for all that share them."""
        day = day_exposed(case)
        if not day:
            return Judged(facts, None)
        key = (case.remedy, case.exposure, day, *(getattr(case, name) for name in self._asked))
        if key not in self._dates:
            self._dates[key] = find_dates(facts, date.fromisoformat(day), self.policy)
        return Judged(facts, as_due(self._dates[key], facts, self.now))


def day_exposed(case: Subject) -> str:
    """When the present episode began; "" where none is open: who was fixed before falling silent owes nothing."""
    return "" if case.closed_at else (case.exposed_at or "")[:10]


def nothing_open(case: Subject) -> str:
    return "was closed when last heard of" if case.closed_at else "never known to be affected"


def asked_of_site(policy: Policy) -> tuple[str, ...]:
    """What the site's rules ask of a case, other than its exposure."""
    asked = {name for rule in policy.rules for name in rule.when.model_fields_set}
    return tuple(sorted(asked & {"estate", "criticality", "owner"}))


def order_of_work(cases: Iterable[Subject], judge: Judge) -> list[Ranked]:
    """Open cases, the most urgent first. Closed ones are not work."""
    ranked = [_ranked(case, judge) for case in cases if case.state not in CLOSED]
    ranked.sort(key=lambda pair: pair[0])
    return [one for _, one in ranked]


def _ranked(case: Subject, judge: Judge) -> tuple[tuple[Any, ...], Ranked]:
    judged = judge.judge(case)
    rank = _rank(case, judged, judge)
    due_at = judged.due.due_at if judged.due else None
    place = (
        rank,
        due_at is None,
        due_at or judge.now,
        -(judged.facts.epss or 0),
        WEIGHT[judged.facts.criticality],
        case.estate,
        case.host,
        case.remedy,
    )
    return place, Ranked(case, rank, judged)


def _rank(case: Subject, judged: Judged, judge: Judge) -> Rank:
    if judge.is_accepted(case):
        return Rank.ACCEPTED
    if not set(ALARMS).isdisjoint(case.flags):
        return Rank.ALARM
    if case.state == "exposed" and judged.facts.kev:
        return Rank.EXPLOITED
    return Rank.OVERDUE if judged.due is not None and judged.due.overdue else Rank.WAITING


def _decided(due: Due) -> str:
    triage = " and forensic triage" if due.forensics else ""
    if due.basis == "kev":
        return f"KEV's due date{triage}"
    time = "next upgrade" if due.days is None else f"{due.days} day{'s' * (due.days != 1)}"
    basis = "BOD 26-04" if due.basis == "bod" else f"{due.decided_by.source} ({due.decided_by.why})"
    return f"{basis}: {time}{triage}"
