"""A case: one host × one vulnerability, as the ledger sees it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

AFFECTED = frozenset({"exposed", "mitigated", "patched"})
CLOSED = frozenset({"fixed", "not_affected"})
STATES = ("unknown", "not_affected", "exposed", "mitigated", "patched", "fixed")


@dataclass(frozen=True, slots=True)
class Mitigation:
    """One journal entry in force. Times are text as in events; None where the host did not say."""

    id: str
    entry: str
    state: str  # intended | applied | lifting
    applied_at: str | None = None
    owner: str = ""
    expires_at: str | None = None
    persists: str = ""
    proof: str = ""  # pass | fail | unknown | lost, or "" when never checked
    proof_reason: str = ""
    proven_at: str | None = None  # the last pass


@dataclass(frozen=True, slots=True)
class Case:
    """`since` is when the state began; the clocks are those of the present episode, see docs/reference/ledger.md."""

    estate: str
    host: str
    remedy: str
    revision: int = 0
    state: str = "unknown"
    since: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()  # regressed, mitigation_lost
    waiting_for: str = ""  # what is missing for the fix; "" when closed and nothing is left in force
    exposed_at: str | None = None
    mitigated_at: str | None = None
    installed_at: str | None = None
    effective_at: str | None = None
    lifted_at: str | None = None
    answered_at: str | None = None  # when the host last answered an assessment or a verification
    mitigations: tuple[Mitigation, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        return self.estate, self.host, self.remedy


COLUMNS = tuple(field.name for field in fields(Case))


def to_dict(case: Case) -> dict[str, Any]:
    """Plain JSON values, for `--json`."""
    return {**asdict(case), "flags": list(case.flags), "mitigations": [asdict(one) for one in case.mitigations]}


def to_row(case: Case) -> dict[str, Any]:
    plain = to_dict(case)
    return {**plain, "flags": json.dumps(plain["flags"]), "mitigations": json.dumps(plain["mitigations"])}


def from_row(row: dict[str, Any]) -> Case:
    mitigations = tuple(Mitigation(**one) for one in json.loads(row["mitigations"]))
    return Case(**{**row, "flags": tuple(json.loads(row["flags"])), "mitigations": mitigations})
