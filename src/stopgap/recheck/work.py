"""What `stopgap recheck --due` asks: it opens the ledger, asks, closes it. Raises RiskError or LedgerError."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stopgap.ledger.store import exists, open_ledger, reading
from stopgap.recheck.proofs import last_asked, last_passed, standing_cases
from stopgap.recheck.schedule import DAY, DueProof, Key, due_proofs
from stopgap.risk import kept as shelf
from stopgap.risk.policy import Policy
from stopgap.risk.work import judge_of


@dataclass(frozen=True, slots=True)
class Due:
    """`proofs`: the latest first. `doubts` are sentences about the feeds it rests on."""

    proofs: list[DueProof]
    doubts: tuple[str, ...]
    now: datetime


def find_due(policy: Policy, now: datetime) -> Due | None:
    """None where there is no ledger."""
    if not exists():
        return None
    longest = max(DAY, timedelta(seconds=max(one.every for one in policy.recheck)))
    with reading(open_ledger()) as connection:
        standing = list(standing_cases(connection, now))
        judge, kept = judge_of(connection, {one.remedy for one in standing}, policy, now)
        asked = last_asked(connection, now, longest)
        proofs = due_proofs(standing, asked, judge, policy.recheck, now)
        return Due(proofs, tuple(shelf.doubts(kept, now)), now)


def find_last_passes(proofs: list[DueProof]) -> dict[Key, str]:
    with reading(open_ledger()) as connection:
        return last_passed(connection, [one.case.key for one in proofs])


def first_hosts(proofs: list[DueProof], at_most: int) -> list[DueProof]:
    """All that is due on the first so many hosts; 0 is all of them."""
    hosts = list(dict.fromkeys(one.case.host for one in proofs))
    chosen = set(hosts[: at_most or None])
    return [one for one in proofs if one.case.host in chosen]
