"""A case: one host × one vulnerability, as the ledger sees it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from stopgap.ledger.events import REASON_LIMIT, clean, spelled

AFFECTED = frozenset({"exposed", "mitigated", "patched"})
CLOSED = frozenset({"fixed", "not_affected"})
STATES = ("unknown", "not_affected", "exposed", "mitigated", "patched", "fixed")


class Extension(msgspec.Struct, frozen=True):
    """A later expiry, by a fresh proof. `at` is when it was proven."""

    until: str
    by: str = ""
    why: str = ""
    at: str = ""


class Acceptance(msgspec.Struct, frozen=True):
    until: str
    by: str = ""
    why: str = ""
    at: str = ""


class Mitigation(msgspec.Struct, frozen=True):
    """One journal entry in force. Times are text as in events; None where the host did not say."""

    id: str
    entry: str
    state: str  # intended | applied | lifting
    applied_at: str | None = None
    owner: str = ""
    expires_at: str | None = None  # with its extension
    persists: str = ""
    proof: str = ""  # pass | fail | unknown | lost, or "" when never checked
    proof_reason: str = ""
    proven_at: str | None = None  # the last pass
    origin: str = "recorded"  # | found: no ledger knew of the run that made it
    extended: Extension | None = None


class Episode(msgspec.Struct, frozen=True):
    """An earlier time of being affected, by its clocks. `ended_at` is when the case was closed."""

    exposed_at: str
    mitigated_at: str | None = None
    installed_at: str | None = None
    effective_at: str | None = None
    lifted_at: str | None = None
    ended_at: str | None = None


class Case(msgspec.Struct, frozen=True):
    """`since` is when the state began; the clocks are those of the present episode, see docs/reference/ledger.md.

    What is kept knows no clock: `as_of` says what it means at a moment.
    """

    estate: str
    host: str
    remedy: str
    revision: int = 0
    state: str = "unknown"
    since: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()  # regressed, reopened, mitigation_lost; by the clock: expired, accepted
    waiting_for: str = ""  # what is missing for the fix; "" when closed and nothing is left in force
    exposed_at: str | None = None
    mitigated_at: str | None = None
    installed_at: str | None = None
    effective_at: str | None = None
    lifted_at: str | None = None
    closed_at: str | None = None  # since when nothing is open here, also while the host is silent; None: it is open
    answered_at: str | None = None  # when the host last answered an assessment or a verification
    mitigations: tuple[Mitigation, ...] = ()
    held: int = 0  # how many mitigations are in force
    protected_until: str | None = None  # when the last proven one runs out; None: none, or one without expiry
    acceptance: Acceptance | None = None
    accepted_until: str | None = None
    exposure: str = ""
    criticality: str = ""
    owner: str = ""
    episodes: tuple[Episode, ...] = ()  # the earlier ones, oldest first

    @property
    def key(self) -> tuple[str, str, str]:
        return self.estate, self.host, self.remedy


COLUMNS = Case.__struct_fields__

_text_of = msgspec.json.Encoder().encode
_flags_in = msgspec.json.Decoder(tuple[str, ...]).decode
_mitigations_in = msgspec.json.Decoder(tuple[Mitigation, ...]).decode
_acceptance_in = msgspec.json.Decoder(Acceptance).decode
_episodes_in = msgspec.json.Decoder(tuple[Episode, ...]).decode


# --- by the clock --------------------------------------------------------------------------------------------------


def as_of(case: Case, now: datetime) -> Case:
    """What the kept case means at this moment: protection runs out, and so does an acceptance.

    `ledger.as_of` says the same in SQL.
    """
    if case.protected_until is None and case.acceptance is None:
        return case
    moment = spelled(now)
    return _accepted(_expired(case, moment, now), moment, now)


def _expired(case: Case, moment: str, now: datetime) -> Case:
    if case.state != "mitigated" or case.protected_until is None or case.protected_until > moment:
        return case
    gone = [_ran_out(one, now) for one in case.mitigations if one.proof == "pass" and one.expires_at]
    begin = f"{', '.join(gone)}: exposed again"
    told = f"{begin}; prove it with `stopgap recheck {case.remedy} --extend TIME --reason WHY` or fix it"
    return replace(
        case,
        state="exposed",
        since=max(case.since, case.protected_until),
        flags=(*case.flags, "expired"),
        reason=clean(told, REASON_LIMIT),
    )


def _ran_out(one: Mitigation, now: datetime) -> str:
    extended = f"; extended by {one.extended.by}: {one.extended.why}" if one.extended else ""
    when = f"{one.expires_at[:10]} {one.expires_at[11:16]} UTC" if one.expires_at else ""
    return f"mitigation {one.id or one.entry} ran out {ago(one.expires_at, now)} ({when}{extended})"


def _accepted(case: Case, moment: str, now: datetime) -> Case:
    told = case.acceptance
    if told is None or case.state in CLOSED:
        return case
    if told.until > moment:
        said = f"accepted by {told.by} until {told.until[:10]}: {told.why}"
        return replace(case, flags=(*case.flags, "accepted"), reason=_with(case.reason, said))
    return replace(case, reason=_with(case.reason, f"acceptance of {told.by} ran out {ago(told.until, now)}"))


def _with(reason: str, more: str) -> str:
    """The addition is never what is cut."""
    more = clean(more, REASON_LIMIT // 2)
    return f"{clean(reason, REASON_LIMIT - len(more) - 2)}; {more}" if reason else more


def ago(moment: str | None, now: datetime) -> str:
    """`2d ago`, in the largest unit."""
    past = int((now - datetime.fromisoformat(moment)).total_seconds()) if moment else 0
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if past >= size:
            return f"{past // size}{unit} ago"
    return f"{max(past, 0)}s ago"


# --- as JSON and as a row ------------------------------------------------------------------------------------------


def to_dict(case: Case) -> dict[str, Any]:
    """Plain JSON values, for `--json`."""
    plain: dict[str, Any] = msgspec.json.decode(_text_of(case))
    return plain


def to_row(case: Case) -> dict[str, Any]:
    row = asdict(case)
    for name in ("flags", "mitigations", "episodes"):
        row[name] = _text_of(row[name]).decode() if row[name] else "[]"
    if case.acceptance:
        row["acceptance"] = _text_of(case.acceptance).decode()
    return row


def from_row(row: Mapping[str, Any]) -> Case:
    accepted = row["acceptance"]
    return Case(
        **{
            **row,
            "flags": _flags_in(row["flags"]),
            "mitigations": _mitigations_in(row["mitigations"]),
            "acceptance": _acceptance_in(accepted) if accepted else None,
            "episodes": _episodes_in(row["episodes"]),
        }
    )
