"""What the events of one case say, folded one by one. Pure: no clock, no database.

A handler takes the facts so far and one event and returns the facts after it. Events come in the order of
projection.Told, and their `at` is never later than they count.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from stopgap.ledger.case import Acceptance, Extension
from stopgap.ledger.entries import hear_assessment, hear_history, hear_journal
from stopgap.ledger.events import OF_MACHINE, REASON_LIMIT, Event, clean, is_time
from stopgap.ledger.facts import (
    Entry,
    Facts,
    later,
    proven_elsewhere,
    set_proof,
    text_of,
    wants_proof,
    was_proven,
)
from stopgap.ledger.reopening import know, weigh

# Nobody answered: the next verification that passes or fails is an answer. Any other doubt is the host's own.
UNANSWERED = frozenset({"unreachable"})


def learn(facts: Facts, event: Event) -> Facts:
    handle = HANDLERS.get(event.kind)
    if handle is None:
        return facts
    heard = _hear_machine(_hear_of_retirement(facts, event), event)
    after = handle(heard, event)
    if event.kind in ANSWERS:
        after = weigh(heard, after, event)
    if event.kind == "remedy" or (event.kind == "mitigation" and facts.revision):
        return after  # of the catalogue's own revision, or of the one that an entry was made under
    revision = event.revision or facts.revision
    return after if after.revision == revision else replace(after, revision=revision)


def _hear_machine(facts: Facts, event: Event) -> Facts:
    """Proofs are of a machine, not of a name: from another one they count for nothing."""
    machine = event.machine
    if machine in ("", facts.machine):
        return facts
    anew = facts.anew or facts.retired != ""
    if not facts.machine:
        return replace(facts, machine=machine, anew=anew)
    return replace(
        proven_elsewhere(facts),
        machine=machine,
        anew=anew,
        rebuilt=f"answers as another machine since {event.at[:10]} {event.at[11:16]}: it was rebuilt; assess it again",
        proofs={},
    )


def _hear_of_retirement(facts: Facts, event: Event) -> Facts:
    """A person's word (`ledger retire`). Whatever the host itself answers afterwards outweighs it."""
    if event.kind == "journal" and event.evidence.get("retired") is True:
        return replace(facts, retired=clean(f"retired by {event.actor}: {event.reason}", REASON_LIMIT))
    if not facts.retired or event.kind not in OF_A_HOST or event.verdict in ("unknown", "failed"):
        return facts
    tells = event.kind in OF_MACHINE
    is_same = facts.machine != "" and (event.machine == facts.machine or not tells)
    return replace(facts, retired="", anew=facts.anew or not is_same)


# --- assessments ---------------------------------------------------------------------------------------------------


def _assessed(facts: Facts, event: Event) -> Facts:
    facts = _hear_about(facts, event.evidence.get("about"))
    if event.verdict == "unknown":
        return replace(
            facts, doubt=event.reason or "no reason given", doubt_is_silence=event.evidence.get("code") in UNANSWERED
        )
    facts = replace(facts, doubt="", rebuilt="", said=_said(event), answered_at=event.at)
    facts = hear_assessment(facts, event)
    if event.verdict == "not_affected":
        facts = replace(facts, fix_gone=False, proven_before=False, fix_refused="")
        return replace(facts, affected=False, fix="untold", fix_open="", objection="")
    if event.verdict == "patched":
        return _fix_on_disk(facts, event)
    return replace(facts, affected=True, fix="absent", fix_open="", objection="", fix_gone=was_proven(facts))


def _said(event: Event) -> str:
    """What stays true when a mitigation goes, by whomever: that it is in effect is told by its own proof."""
    return "it was mitigated when it was last assessed" if event.verdict == "mitigated" else event.reason


def _hear_about(facts: Facts, about: Any) -> Facts:
    """What the inventory says of the host, all of it each time. An older callback says nothing at all."""
    if not isinstance(about, dict):
        return facts
    told = (about.get("exposure"), about.get("criticality"), about.get("owner"))
    if told == (facts.exposure, facts.criticality, facts.owner):
        return facts
    exposure, criticality, owner = (clean(text_of(about, name), 255) for name in ("exposure", "criticality", "owner"))
    return replace(facts, exposure=exposure[:16], criticality=criticality[:16], owner=owner)


def _fix_on_disk(facts: Facts, event: Event) -> Facts:
    facts = replace(facts, affected=True, fix_refused="")
    if event.evidence.get("code") == "awaiting_proof":
        facts = replace(facts, objection="")
        return facts if facts.fix in ("installed", "in_effect") else replace(facts, fix="installed", fix_open="")
    return replace(facts, fix="installed", fix_open=event.reason, objection=event.reason, fix_gone=was_proven(facts))


# --- the fix -------------------------------------------------------------------------------------------------------


def _patch(facts: Facts, event: Event) -> Facts:
    if event.verdict in ("refused", "failed"):
        return replace(facts, fix_refused=event.reason)
    if event.verdict == "rolled_back":
        gone = was_proven(facts)
        return replace(facts, fix="absent", fix_open="", objection="", fix_gone=gone, fix_refused=event.reason)
    if facts.affected is False:
        return facts
    kept = event.verdict == "already" and facts.fix == "in_effect"
    facts = facts if kept else replace(wants_proof(facts), fix="installed")
    return replace(facts, affected=True, fix_refused="", fix_open=_still_open(event))


def _still_open(event: Event) -> str:
    if event.evidence.get("reboot_required"):
        return "a reboot is due"
    return event.reason if event.evidence.get("old_code") else ""


def _verified(facts: Facts, event: Event) -> Facts:
    if event.evidence.get("phase") == "mitigation":
        return _mitigation_proof(facts, event)
    return _fix_proven(facts, event) if event.verdict == "pass" else _fix_not_proven(facts, event)


def _fix_proven(facts: Facts, event: Event) -> Facts:
    """A pass closes nothing that the last assessment contradicts: unknown is never fixed."""
    doubted = facts.doubt and not facts.doubt_is_silence
    if facts.fix == "absent" or facts.affected is False or doubted or facts.rebuilt or facts.objection:
        return facts
    facts = replace(facts, affected=True, fix="in_effect", answered_at=event.at)
    return replace(facts, doubt="", fix_open="", fix_gone=False, proven_before=False, fix_refused="")


def _fix_not_proven(facts: Facts, event: Event) -> Facts:
    facts = replace(wants_proof(facts), fix_open=event.reason)
    if event.verdict != "fail":
        return facts
    return _answered(replace(facts, fix_gone=was_proven(facts)), event)


def _answered(facts: Facts, event: Event) -> Facts:
    return replace(facts, doubt="" if facts.doubt_is_silence else facts.doubt, answered_at=event.at)


# --- proofs of mitigations -----------------------------------------------------------------------------------------


def _mitigation_proof(facts: Facts, event: Event) -> Facts:
    """The callback names the entry where it knows it; else the proof is of every entry of that mitigation in force."""
    named = text_of(event.evidence, "entry")
    mitigation = text_of(event.evidence, "mitigation")
    meant = [named] if named else [one.entry for one in facts.in_force() if mitigation in ("", one.mitigation)]
    for entry in meant:
        facts = set_proof(_extend(facts, entry, event), entry, event.verdict, event)
    return facts if event.verdict == "unknown" else _answered(facts, event)


def _extend(facts: Facts, name: str, event: Event) -> Facts:
    """A proof moves an expiry of something in force and in effect, and never further than a new one would last."""
    until, entry = text_of(event.evidence, "extends_to"), facts.entries.get(name)
    if event.verdict != "pass" or not is_time(until) or entry is None or not _can_be_extended(facts, entry):
        return facts
    if entry.ttl_seconds:
        until = min(until, later(event.at, entry.ttl_seconds))
    before = facts.extensions.get(name)
    if until <= max(entry.expires_at or "", before.until if before else ""):
        return facts
    why = clean(text_of(event.evidence, "extends_why"), REASON_LIMIT)
    extension = Extension(until=until, by=event.actor, why=why, at=event.at)
    return replace(facts, extensions={**facts.extensions, name: extension})


def _can_be_extended(facts: Facts, entry: Entry) -> bool:
    proof = facts.proofs.get(entry.entry)
    lost = proof is not None and proof.verdict == "lost"
    return entry.in_force and not entry.withdrawn and not lost and entry.expires_at is not None


# --- what a person says --------------------------------------------------------------------------------------------


def _accepted(facts: Facts, event: Event) -> Facts:
    until = text_of(event.evidence, "until")
    if event.verdict == "withdrawn":
        return replace(facts, acceptance=None)
    if not is_time(until):
        return facts
    return replace(facts, acceptance=Acceptance(until=until, by=event.actor, why=event.reason, at=event.at))


HANDLERS: dict[str, Callable[[Facts, Event], Facts]] = {
    "assessed": _assessed,
    "mitigation": hear_history,
    "patch": _patch,
    "verified": _verified,
    "journal": hear_journal,
    "accepted": _accepted,
    "remedy": know,
}
OF_A_HOST = frozenset({"assessed", "mitigation", "patch", "verified", "journal"})
ANSWERS = frozenset({"assessed", "patch", "verified"})  # under a revision that the controller names
