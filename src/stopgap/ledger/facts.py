"""What is known of one case, and small changes of it. Pure: no clock, no database.

Facts know nothing of states; `projection` judges them. `learning` and `entries` say what an event changes.

What is added here is kept by `folded` as well: plain values need nothing, see there for others.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from stopgap.ledger.case import Acceptance, Extension
from stopgap.ledger.events import Event
from stopgap.ledger.reopening import Basis

# The states of an entry's own history. Its order is the journal's (evidence.step), whatever the clocks of hosts say;
# an entry cut short or lost may be applied again, one that is over stays over.
IN_FORCE = frozenset({"intended", "applied", "lifting"})
OVER = frozenset({"lifted", "undone"})

OVER_KEPT = 50  # entries of a case that are over


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One journal entry: one mitigation of one remedy on this host."""

    entry: str
    mitigation: str = ""
    state: str = msgspec.field(
        default_factory=lambda: "applied"
    )  # until its own history is heard: an assessment named it
    step: int = -1  # the place of `state` in the entry's history
    applied_at: str | None = None
    ended_at: str | None = None
    owner: str = ""
    expires_at: str | None = None
    persists: str = ""
    withdrawn: bool = False  # the vendor took it back: in effect, and no help
    gone: bool = False  # the host's journal no longer lists it, though it never said lifted
    back: bool = False  # over, and listed again: the host was put back to an earlier state
    origin: str = ""  # recorded | found, by the first of its own history; "" until then
    ttl_seconds: int = 0  # 0: not told

    @property
    def in_force(self) -> bool:
        return self.back or (self.state in IN_FORCE and not self.gone)

    @property
    def stands(self) -> str:
        """The state it is in, whatever its history came to before."""
        return "applied" if self.back else self.state


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    verdict: str  # pass | fail | unknown | lost
    reason: str
    passed_at: str | None
    revision: int = 0  # of the remedy, when it passed


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """`fix` is what was last learned: untold, absent, installed, in_effect."""

    affected: bool | None = None
    fix: str = msgspec.field(default_factory=lambda: "untold")
    said: str = ""  # the last assessment's sentence, but for that of a mitigation in effect
    doubt: str = ""  # why the last assessment was no answer
    doubt_is_silence: bool = False
    fix_open: str = ""  # why an installed fix is not in effect
    objection: str = ""  # old code or an old kernel that the last assessment saw: no pass of checks outweighs it
    fix_gone: bool = False  # it had been proven, and is not there now
    fix_refused: str = ""  # the last refusal or failure to install
    act_refused: str = ""  # the last refusal or failure to mitigate or lift
    revision: int = 0
    answered_at: str | None = None
    entries: Mapping[str, Entry] = {}
    proofs: Mapping[str, Proof] = {}
    extensions: Mapping[str, Extension] = {}  # of entries, by a proof; the furthest
    acceptance: Acceptance | None = None  # of the present episode
    exposure: str = ""
    criticality: str = ""
    owner: str = ""
    machine: str = ""  # which one answers to the host's name (evidence.host_id); "" until one told
    rebuilt: str = ""  # another machine answers, and has not been assessed: what was known is of the one before
    proven_before: bool = False  # the fix was in effect: on that one, or until its proof could not be repeated
    retired: str = ""  # somebody said that the host is gone; until it answers again
    anew: bool = False  # it has, and for all we know as another machine: what it is affected by begins anew

    basis: Basis = Basis()  # what the answers rest on, and what is known since

    def in_force(self) -> list[Entry]:
        """Nothing on a host that is gone; it keeps its entries, in case it is not."""
        return [] if self.retired else [entry for entry in self.entries.values() if entry.in_force]


def set_entry(facts: Facts, entry: Entry) -> Facts:
    affected = True if facts.affected is None and entry.in_force else facts.affected
    if entry == facts.entries.get(entry.entry) and affected is facts.affected:
        return facts
    entries = {**facts.entries, entry.entry: entry}
    if len(entries) <= OVER_KEPT:
        return replace(facts, affected=affected, entries=entries)
    return _without(replace(facts, affected=affected, entries=entries), _oldest_over(entries))


def _oldest_over(entries: Mapping[str, Entry]) -> set[str]:
    """A case keeps all that is in force, and does not grow with what is over."""
    over = [name for name, one in entries.items() if one.state in OVER and not one.back]
    return set(over[: max(0, len(over) - OVER_KEPT)])


def _without(facts: Facts, names: set[str]) -> Facts:
    return replace(
        facts,
        entries={name: one for name, one in facts.entries.items() if name not in names},
        proofs={name: one for name, one in facts.proofs.items() if name not in names},
        extensions={name: one for name, one in facts.extensions.items() if name not in names},
    )


def without_proofs(facts: Facts, names: set[str]) -> Facts:
    return replace(facts, proofs={name: one for name, one in facts.proofs.items() if name not in names})


def forget_loss(facts: Facts, entry: str) -> Facts:
    proof = facts.proofs.get(entry)
    if proof is None or proof.verdict != "lost":
        return facts
    return without_proofs(facts, {entry})


def set_proof(facts: Facts, entry: str, verdict: str, event: Event) -> Facts:
    before = facts.proofs.get(entry)
    if before and before.verdict == "lost" and verdict == "pass":
        return facts  # the host says it is not in effect: only applying it again, or the host, takes that back
    passed = event.at if verdict == "pass" else before.passed_at if before else None
    revision = event.revision if verdict == "pass" else before.revision if before else 0
    return replace(facts, proofs={**facts.proofs, entry: Proof(verdict, event.reason, passed, revision)})


def was_proven(facts: Facts) -> bool:
    """The fix was in effect, and all that was heard since is that it is not, or nothing certain."""
    return facts.fix == "in_effect" or facts.proven_before or facts.fix_gone


def wants_proof(facts: Facts) -> Facts:
    """That a proven fix is in effect has to be proven once more."""
    return replace(facts, fix="installed", proven_before=True) if facts.fix == "in_effect" else facts


def proven_elsewhere(facts: Facts) -> Facts:
    """The fix was proven, if at all, on another disk than the one that answers."""
    return replace(wants_proof(facts), fix_open="", objection="")


def later(moment: str, seconds: int) -> str:
    """Both in the ledger's spelling of time; the end of time where there is no such moment."""
    try:
        then = datetime.fromisoformat(moment[:-1]) + timedelta(seconds=seconds)
    except OverflowError:
        return "2999-12-31T23:59:59.999999Z"
    return then.isoformat(timespec="microseconds") + "Z"  # strftime takes four times as long


def text_of(evidence: Any, key: str) -> str:
    value = evidence.get(key) if isinstance(evidence, dict) else None
    return value if isinstance(value, str) else ""
