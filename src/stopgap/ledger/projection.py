"""From events to the case: the heart of the ledger. Pure, and the same whatever order the events arrived in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stopgap.ledger.case import AFFECTED, CLOSED, Case, Mitigation
from stopgap.ledger.events import REASON_LIMIT, Event, clean
from stopgap.ledger.facts import Entry, Facts, learn


def project(events: Iterable[Event]) -> Case:
    """The case of one (estate, host, remedy). Host-level journal events (remedy "") may be among them.

    Raises ValueError when no event names the remedy: then there is no case.
    """
    ordered = sorted(events, key=lambda event: event.order)
    subject = next((event for event in ordered if event.remedy), None)
    if subject is None:
        raise ValueError("no event of a remedy: there is no case")
    facts, story = Facts(), Story()
    for event in ordered:
        facts = learn(facts, event)
        story = advance(story, facts, event.heard_at)
    return _case(Case(subject.estate, subject.host, subject.remedy), facts, story)


@dataclass(frozen=True, slots=True)
class Story:
    """How the state went. `known` is the last state that was not unknown; the clocks are of the present episode."""

    state: str = ""
    since: str = ""
    known: str = ""
    exposed_at: str | None = None
    mitigated_at: str | None = None
    installed_at: str | None = None
    effective_at: str | None = None


def advance(story: Story, facts: Facts, when: str) -> Story:
    state = judge_state(facts)
    if state != story.state:
        story = replace(story, state=state, since=when)
    if state == "unknown":
        return story
    if _opens(story.known, state, facts):
        story = replace(story, exposed_at=when, mitigated_at=None, installed_at=None, effective_at=None)
    story = _run_clocks(story, facts, when)
    return replace(story, known=state)


def _opens(known: str, state: str, facts: Facts) -> bool:
    """A new episode begins. A fixed case whose proof merely could not be repeated stays in the old one."""
    reopened = known in CLOSED and not (known == "fixed" and state == "patched" and not facts.fix_gone)
    return state in AFFECTED and (known == "" or reopened)


def _run_clocks(story: Story, facts: Facts, when: str) -> Story:
    """Each clock stops at its first time in the episode."""
    if facts.fix in ("installed", "in_effect"):
        story = replace(story, installed_at=story.installed_at or when)
    if story.state == "mitigated":
        story = replace(story, mitigated_at=story.mitigated_at or when)
    if story.state == "fixed":
        story = replace(story, effective_at=story.effective_at or when)
    return story


def judge_state(facts: Facts) -> str:
    if facts.doubt or facts.affected is None:
        return "unknown"
    if not facts.affected:
        return "not_affected"
    if facts.fix == "in_effect":
        return "fixed"
    if facts.fix == "installed":
        return "patched"
    return "mitigated" if any(_proven(facts, entry) for entry in facts.in_force()) else "exposed"


def judge_reason(facts: Facts, state: str, known: str) -> str:
    if state == "unknown":
        last = f"; last known: {known}" if known else ""
        return (facts.doubt or "never assessed") + last
    if state == "fixed":
        return "fix proven in effect"
    if state == "not_affected":
        return facts.said
    lost = _lost_reason(facts)
    if state == "patched":
        gone = "fix no longer in effect: " if facts.fix_gone else ""
        return gone + (facts.fix_open or "fix on disk, not proven in effect yet") + (f"; {lost}" if lost else "")
    if state == "mitigated":
        proven = ", ".join(entry.mitigation or entry.entry for entry in facts.in_force() if _proven(facts, entry))
        return f"{proven} proven in force" + (f"; {lost}" if lost else "")
    return _why_exposed(facts, lost)


def _why_exposed(facts: Facts, lost: str) -> str:
    if lost:
        return f"mitigation lost, fix absent: {lost}"
    unproven = [_why_unproven(facts, entry) for entry in facts.in_force()]
    if unproven:
        return "; ".join(unproven)
    if facts.fix_gone:
        return f"fix gone: {facts.said}"
    return facts.said + (f"; not mitigated: {facts.act_refused}" if facts.act_refused else "")


def _why_unproven(facts: Facts, entry: Entry) -> str:
    if entry.withdrawn:
        return facts.said
    proof = facts.proofs.get(entry.entry)
    because = f": {proof.reason}" if proof and proof.reason else ""
    return f"mitigation {entry.state}, not proven{because}"


def _lost_reason(facts: Facts) -> str:
    """What is lost of the mitigations: found without effect, failing after a proof, or gone from the journal."""
    held = facts.in_force()
    lost = [f"{_name(entry)}: {facts.proofs[entry.entry].reason}" for entry in held if _is_lost(facts, entry)]
    if not held:
        lost = [f"{_name(one)} is gone from the host's journal" for one in facts.entries.values() if one.gone]
    return "; ".join(lost)


def _is_lost(facts: Facts, entry: Entry) -> bool:
    proof = facts.proofs.get(entry.entry)
    return proof is not None and (proof.verdict == "lost" or (proof.verdict == "fail" and proof.passed_at is not None))


def _proven(facts: Facts, entry: Entry) -> bool:
    proof = facts.proofs.get(entry.entry)
    return entry.state == "applied" and not entry.withdrawn and proof is not None and proof.verdict == "pass"


def _name(entry: Entry) -> str:
    return entry.mitigation or entry.entry


def judge_flags(facts: Facts) -> tuple[str, ...]:
    open_still = facts.affected is not False and facts.fix != "in_effect"
    lost = open_still and bool(_lost_reason(facts))
    return tuple(name for name, holds in (("regressed", facts.fix_gone), ("mitigation_lost", lost)) if holds)


def judge_waiting(facts: Facts, state: str) -> str:
    """What is missing for the fix; for a closed case with something in force, what is missing to be rid of it."""
    if state in CLOSED:
        return (facts.act_refused or "nothing: lift it") if facts.in_force() else ""
    if facts.fix == "installed":
        return f"installed, not in effect: {facts.fix_open or 'not verified yet'}"
    if facts.fix_refused:
        return facts.fix_refused
    return f"fix gone: {facts.said}" if facts.fix_gone else "fix not tried yet"


def _case(subject: Case, facts: Facts, story: Story) -> Case:
    held = facts.in_force()
    return replace(
        subject,
        revision=facts.revision,
        state=story.state,
        since=story.since,
        reason=clean(judge_reason(facts, story.state, story.known), REASON_LIMIT),
        flags=judge_flags(facts),
        waiting_for=clean(judge_waiting(facts, story.state), REASON_LIMIT),
        exposed_at=story.exposed_at,
        mitigated_at=story.mitigated_at,
        installed_at=story.installed_at,
        effective_at=story.effective_at,
        lifted_at=None if held else max((one.ended_at for one in facts.entries.values() if one.ended_at), default=None),
        answered_at=facts.answered_at,
        mitigations=tuple(_mitigation(facts, entry) for entry in sorted(held, key=lambda one: one.entry)),
    )


def _mitigation(facts: Facts, entry: Entry) -> Mitigation:
    proof = facts.proofs.get(entry.entry)
    return Mitigation(
        id=entry.mitigation,
        entry=entry.entry,
        state=entry.state,
        applied_at=entry.applied_at,
        owner=entry.owner,
        expires_at=entry.expires_at,
        persists=entry.persists,
        proof=proof.verdict if proof else "",
        proof_reason=proof.reason if proof else "",
        proven_at=proof.passed_at if proof else None,
    )
