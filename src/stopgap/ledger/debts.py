"""What is still owed: mitigations in force without a fix in effect (debt), or left in force after it (orphans)."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import msgspec

from stopgap.ledger.case import Acceptance, Case, Extension, Mitigation
from stopgap.ledger.counts import OwedCounts, Tally
from stopgap.ledger.events import is_time, spelled

FLAGS = ("regressed", "mitigation_lost", "expired", "accepted")


class Owed(msgspec.Struct, frozen=True):
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


def owed(case: Case, now: datetime) -> Iterator[Owed]:
    """Of a case as it is now (case.as_of)."""
    moment = spelled(now)
    for one in case.mitigations:
        yield _owed(case, one, now, moment)


def _owed(case: Case, mitigation: Mitigation, now: datetime, moment: str) -> Owed:
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
        overdue=mitigation.expires_at is not None and mitigation.expires_at <= moment,
        persists=mitigation.persists,
        proof=mitigation.proof,
        proof_age=seconds_since(mitigation.proven_at, now),
        waiting_for=case.waiting_for,
        origin=mitigation.origin,
        extended=mitigation.extended,
        acceptance=case.acceptance if "accepted" in case.flags else None,
    )


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
