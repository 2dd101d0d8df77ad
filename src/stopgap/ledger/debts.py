"""What is still owed: mitigations in force without a fix in effect (debt), or left in force after it (orphans)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from stopgap.ledger.case import CLOSED, Acceptance, Case, Extension, Mitigation
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import is_time, spelled

FLAGS = ("regressed", "mitigation_lost", "expired", "accepted")


@dataclass(frozen=True, slots=True)
class Owed:
    """One mitigation in force. Ages are whole seconds; None where a host never said when."""

    estate: str
    host: str
    remedy: str
    state: str
    flags: tuple[str, ...]
    mitigation: str
    entry: str
    since: str | None
    age: int | None
    owner: str
    expires_at: str | None
    overdue: bool
    persists: str
    proof: str
    proof_age: int | None
    waiting_for: str
    origin: str
    extended: Extension | None
    acceptance: Acceptance | None  # of the case's risk; it makes nothing less overdue


@dataclass(frozen=True, slots=True)
class Books:
    debt: tuple[Owed, ...]
    orphans: tuple[Owed, ...]


def owed(cases: Iterable[Case], now: datetime) -> Books:
    """Of cases as they are now (case.as_of). The oldest first: those are the ones that get forgotten."""
    found = [(one.state in CLOSED, _owed(one, mitigation, now)) for one in cases for mitigation in one.mitigations]
    found.sort(key=lambda pair: (pair[1].since or "", pair[1].host, pair[1].remedy, pair[1].entry))
    return Books(
        debt=tuple(row for closed, row in found if not closed), orphans=tuple(row for closed, row in found if closed)
    )


def _owed(case: Case, mitigation: Mitigation, now: datetime) -> Owed:
    return Owed(
        estate=case.estate,
        host=case.host,
        remedy=case.remedy,
        state=case.state,
        flags=case.flags,
        mitigation=mitigation.id,
        entry=mitigation.entry,
        since=mitigation.applied_at,
        age=seconds_since(mitigation.applied_at, now),
        owner=mitigation.owner,
        expires_at=mitigation.expires_at,
        overdue=mitigation.expires_at is not None and mitigation.expires_at <= spelled(now),
        persists=mitigation.persists,
        proof=mitigation.proof,
        proof_age=seconds_since(mitigation.proven_at, now),
        waiting_for=case.waiting_for,
        origin=mitigation.origin,
        extended=mitigation.extended,
        acceptance=case.acceptance if "accepted" in case.flags else None,
    )


def counts(books: Books) -> OwedCounts:
    return OwedCounts(len(books.debt), sum(row.overdue for row in books.debt), len(books.orphans))


def summary(tally: Tally, owed: OwedCounts) -> dict[str, Any]:
    flags = {flag: tally.flags.get(flag, 0) for flag in FLAGS}
    return {"cases": tally.cases, "states": tally.in_order(), **flags, **asdict(owed)}


def summary_line(tally: Tally, owed: OwedCounts) -> str:
    """`5 cases: 2 mitigated, 3 fixed; debt 2 (1 overdue), orphans 0`"""
    parts = [f"{count} {state}" for state, count in tally.in_order().items()]
    parts += [f"{tally.flags[flag]} {flag}" for flag in FLAGS if tally.flags.get(flag)]
    noun = "case" if tally.cases == 1 else "cases"
    return f"{tally.cases} {noun}: {', '.join(parts)}; {owed_line(owed)}"


def owed_line(owed: OwedCounts) -> str:
    """`debt 2 (1 overdue), orphans 0`"""
    late = f" ({owed.overdue} overdue)" if owed.overdue else ""
    return f"debt {owed.debt}{late}, orphans {owed.orphans}"


def to_dict(row: Owed) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain


def seconds_since(moment: str | None, now: datetime) -> int | None:
    """Negative when it is still to come."""
    if moment is None or not is_time(moment):
        return None
    return int((now - datetime.fromisoformat(moment)).total_seconds())


def utc_now() -> datetime:
    return datetime.now(UTC)
