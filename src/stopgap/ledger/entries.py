"""What is said of mitigations: by an entry's own history, by the whole journal, by an assessment. Pure."""

from typing import Any

from msgspec.structs import replace

from stopgap.ledger.events import Event, is_time
from stopgap.ledger.facts import (
    IN_FORCE,
    OVER,
    Entry,
    Facts,
    forget_loss,
    later,
    proven_elsewhere,
    set_entry,
    set_proof,
    text_of,
    without_proofs,
)

SLACK = 60  # seconds; a journal that was read while an entry ended may be heard after that
TTL_LIMIT = 100 * 366 * 24 * 3600  # seconds; more than this is no ttl


# --- an entry's own history ----------------------------------------------------------------------------------------


def hear_history(facts: Facts, event: Event) -> Facts:
    if event.verdict not in IN_FORCE | OVER:
        return replace(facts, act_refused=event.reason)
    name = text_of(event.evidence, "entry")
    if not name:
        return facts
    entry = _with_history(facts.entries.get(name, Entry(name)), event)
    if event.verdict == "applied":
        facts = forget_loss(facts, name)  # heard of later: what was found before says nothing of it
    facts = set_entry(facts, entry)
    return replace(facts, act_refused="") if facts.act_refused else facts


def _with_history(entry: Entry, event: Event) -> Entry:
    when = event.at
    ended = event.verdict in OVER
    first = min(when, entry.applied_at or when)
    state, step = _latest(entry, event)
    return replace(
        entry,
        gone=False,
        back=entry.back and not ended,
        state=state,
        step=step,
        mitigation=text_of(event.evidence, "mitigation") or entry.mitigation,
        owner=text_of(event.evidence, "owner") or entry.owner,
        persists=text_of(event.evidence, "persists") or entry.persists,
        expires_at=_expiry(entry, event),
        ttl_seconds=_ttl(event) or entry.ttl_seconds,
        origin=entry.origin or ("found" if event.evidence.get("found") is True else "recorded"),
        applied_at=first if event.verdict == "applied" else entry.applied_at,
        ended_at=when if ended else entry.ended_at,
    )


def _expiry(entry: Entry, event: Event) -> str | None:
    """As the host says, but no later than its ttl allows: a clock that is ahead prolongs nothing."""
    told, ttl = text_of(event.evidence, "expires_at"), _ttl(event)
    if not is_time(told):
        return entry.expires_at
    began = event.verdict in ("intended", "applied")
    if ttl and (began or entry.expires_at is None):
        return min(told, later(event.at, ttl))
    return min(told, entry.expires_at) if entry.expires_at and not began else told


def _ttl(event: Event) -> int:
    told = event.evidence.get("ttl_seconds")
    return told if type(told) is int and 0 < told <= TTL_LIMIT else 0


def _latest(entry: Entry, event: Event) -> tuple[str, int]:
    step = event.evidence.get("step")
    step = step if type(step) is int else entry.step
    if entry.state in OVER or (step < entry.step and event.verdict not in OVER):
        return entry.state, entry.step
    return event.verdict, step


# --- the whole journal ---------------------------------------------------------------------------------------------


def hear_journal(facts: Facts, event: Event) -> Facts:
    """All the host holds: whatever we thought in force and it does not list is gone, and what it lists is in force."""
    listed = event.evidence.get("in_force")
    if not isinstance(listed, list) or event.evidence.get("truncated") or facts.retired:
        return facts
    held = {pair[1] for pair in listed if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str)}
    back = {name for name, one in facts.entries.items() if name in held and _came_back(one, event)}
    entries = {name: _as_listed(one, name in held, name in back) for name, one in facts.entries.items()}
    if all(entries[name] is one for name, one in facts.entries.items()):
        return facts
    facts = replace(facts, entries=entries)
    return _put_back(facts, back) if back else facts


def _as_listed(entry: Entry, is_held: bool, came_back: bool) -> Entry:
    gone, back = entry.state in IN_FORCE and not is_held, came_back or (entry.back and is_held)
    return entry if (gone, back) == (entry.gone, entry.back) else replace(entry, gone=gone, back=back)


def _came_back(entry: Entry, event: Event) -> bool:
    """Its history has ended, and the host holds it: the disk is an older one. No such history is told anew."""
    late = entry.ended_at is None or event.at > later(entry.ended_at, SLACK)
    return entry.state in OVER and not entry.back and late


def _put_back(facts: Facts, back: set[str]) -> Facts:
    """What was proven since then went with the disk it was proven on."""
    names = ", ".join(sorted(facts.entries[name].mitigation or name for name in back))
    state = facts.entries[min(back)].state
    return replace(
        proven_elsewhere(without_proofs(facts, back)),
        rebuilt=f"its journal holds {names} again, which was {state}: put back to an earlier state; assess it again",
    )


# --- an assessment -------------------------------------------------------------------------------------------------


def hear_assessment(facts: Facts, event: Event) -> Facts:
    """An assessment reads the journal too: it may name an entry nobody told us of, or find one without effect."""
    told: Any = event.evidence.get("mitigation", {})
    if told is None:
        return _none_held(facts, event)
    name, code = text_of(told, "entry"), event.evidence.get("code")
    if not name or not (told.get("in_force") or code == "mitigation_lost"):
        return facts
    entry = facts.entries.get(name, Entry(name, mitigation=text_of(told, "id")))
    if _came_back(entry, event):
        facts, entry = without_proofs(facts, {name}), replace(entry, back=True)
    if code == "mitigation_lost":
        facts = set_proof(facts, name, "lost", event)
    if code == "mitigation_in_force":
        facts = forget_loss(facts, name)
    withdrawn = code == "mitigation_withdrawn"
    return set_entry(facts, replace(entry, gone=False, withdrawn=withdrawn))


def _none_held(facts: Facts, event: Event) -> Facts:
    """The host has looked: its journal holds nothing of this remedy, whatever we heard: somebody may have lifted it.

    One that was put in force while the host was asked is not meant.
    """
    meant = {name for name, one in facts.entries.items() if one.in_force and _was_there(facts, one, event)}
    entries = {
        name: replace(one, gone=True, back=False) if name in meant else one for name, one in facts.entries.items()
    }
    return replace(facts, entries=entries)


def _was_there(facts: Facts, entry: Entry, event: Event) -> bool:
    """Before the host was asked: by its own history, or, where only assessments have named it, by its last proof."""
    proof = facts.proofs.get(entry.entry)
    since = entry.applied_at or (proof and not entry.origin and proof.passed_at)
    return event.at > later(since, SLACK) if since else not entry.origin
