"""From events to the case: the heart of the ledger. Pure, and the same whatever order the events arrived in."""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from stopgap.ledger.case import AFFECTED, CLOSED, Case, Episode, Mitigation
from stopgap.ledger.events import OF_HOST, OF_NOBODY, REASON_LIMIT, Event, clean
from stopgap.ledger.facts import Entry, Facts
from stopgap.ledger.learning import learn
from stopgap.ledger.reopening import is_withdrawn

EPISODES_KEPT = 50

Key = tuple[str, str, str]  # estate, host, remedy
Place = tuple[str, str, str]  # counted at, heard at, id


class Told(NamedTuple):
    """An event and its place among the others of its case.

    It counts from when it was heard, but not later than its ledger wrote it down, nor than what a `clock` event says
    of its run: a clock that is ahead must not outweigh everything heard afterwards.
    """

    counted_at: str
    heard_at: str
    id: str
    hash: str  # of two statements of the same event, heard at the same moment: the smaller counts
    event: Event

    @property
    def place(self) -> Place:
        return self.counted_at, self.heard_at, self.id


def tell(event: Event, recorded_at: str = "", hash_: str = "", until: str = "") -> Told:
    """`until`: where the clock of its run was ahead, when that was noticed."""
    counted = heard = event.heard_at
    if recorded_at and recorded_at < counted:
        counted = recorded_at
    if until and until < counted:
        counted = until
    if event.at > counted:
        event = replace(event, at=counted)  # nor did anything happen after it counts
    return Told(counted, heard, event.id, hash_, event)


class Story(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the state went. `known` is the last state that was not unknown; the clocks are of the present episode."""

    state: str = ""
    since: str = ""
    known: str = ""
    exposed_at: str | None = None
    mitigated_at: str | None = None
    installed_at: str | None = None
    effective_at: str | None = None
    closed_at: str | None = None
    episodes: tuple[Episode, ...] = ()


class Fold(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that the next event needs to know of those before it."""

    facts: Facts = Facts()
    story: Story = Story()
    place: Place = ("", "", "")  # of the last event that left a trace


def _leaves_no_trace(event: Event, story: Story) -> bool:
    """Of what told a case nothing new: nobody has to write it down again.

    Only where others know when it was said, for whoever comes with something older: see keeping.touched_by of
    knowledge, folding.journals_since of journals.
    """
    return event.kind in OF_NOBODY or (event.kind in OF_HOST and event.machine != "" and story.state != "")


_order = itemgetter(0, 1, 2, 3)  # without the event, which has none


def fold(start: Fold, told: Iterable[Told]) -> Fold:
    """`told` in any order, all of it after `start.place`. What two writers say of one event counts once."""
    facts, story, place = start.facts, start.story, start.place
    for one in once(sorted(told, key=_order)):
        after = learn(facts, one.event)
        if after is facts and _leaves_no_trace(one.event, story):
            continue
        before, facts, place = facts, after, one.place
        if story.state or one.event.kind not in OF_NOBODY:  # what was known beforehand does not begin a case
            facts, story = advance(facts, story, one.counted_at)
        if facts.basis.known > before.basis.known and story.state == "unknown" and not facts.anew:
            facts, story = _know_in_doubt(before, facts, story, one.counted_at)
    return Fold(facts, story, place)


def once(ordered: Iterable[Told]) -> Iterator[Told]:
    """Each event in the words that count."""
    seen = set()
    for one in ordered:
        if one.id not in seen:
            seen.add(one.id)
            yield one


def project(events: Iterable[Event]) -> Case:
    """The case of one (estate, host, remedy) from its events alone. Host-level ones (remedy "") may be among them.

    Raises ValueError when no event names the remedy: then there is no case.
    """
    told = sorted((tell(event) for event in events), key=lambda one: one.place)
    subject = next((one.event for one in told if one.event.remedy and one.event.host), None)
    if subject is None:
        raise ValueError("no event of a remedy: there is no case")
    return case_of((subject.estate, subject.host, subject.remedy), fold(Fold(), told))


def advance(facts: Facts, story: Story, when: str) -> tuple[Facts, Story]:
    state = judge_state(facts)
    if state != story.state:
        story = replace(story, state=state, since=when)
    if facts.retired:  # somebody's word: `known` stays, and so does the episode should it have been a mistake
        return facts, replace(story, closed_at=story.closed_at or when)
    if story.closed_at and story.known not in CLOSED and not facts.anew:  # a mistake
        story = replace(story, closed_at=None)
    if state == "unknown":
        return facts, story
    if _opens(story, state, facts):
        facts, story = _new_episode(facts, story, when)
    facts = replace(facts, anew=False) if facts.anew else facts
    story = _run_clocks(story, facts, when)
    return facts, story if story.known == state else replace(story, known=state)


def _know_in_doubt(before: Facts, facts: Facts, story: Story, when: str) -> tuple[Facts, Story]:
    """A raised revision asks nobody: of a host that gives no answer, other things are known from then on."""
    known = _but_for_doubt(facts)
    is_over = story.known in CLOSED and facts.basis.closed_under < facts.basis.known
    is_other = known != _but_for_doubt(before)
    if not story.known or not (is_over or is_other):
        return facts, story
    if known not in AFFECTED:
        return facts, replace(story, since=when) if is_other else story
    if _opens(story, known, facts):
        facts, story = _new_episode(facts, story, when)
    return facts, replace(story, known=known, since=when, closed_at=None)


def last_known(told: Fold) -> str:
    """What is known of a case whose host is silent or was rebuilt: how it stands but for that."""
    return _but_for_doubt(replace(told.facts, rebuilt=""))


def _but_for_doubt(facts: Facts) -> str:
    return judge_state(replace(facts, doubt=""))


def _new_episode(facts: Facts, story: Story, when: str) -> tuple[Facts, Story]:
    """What was lifted, and what risk was accepted, was of the one before."""
    before = story.episodes
    if story.exposed_at:
        ended = Episode(
            exposed_at=story.exposed_at,
            mitigated_at=story.mitigated_at,
            installed_at=story.installed_at,
            effective_at=story.effective_at,
            lifted_at=_lifted_at(facts),
            ended_at=story.closed_at or story.effective_at,
        )
        before = (*before, ended)[-EPISODES_KEPT:]
    entries = {name: replace(one, ended_at=None) if one.ended_at else one for name, one in facts.entries.items()}
    story = Story(state=story.state, since=story.since, known=story.known, exposed_at=when, episodes=before)
    return replace(facts, entries=entries, acceptance=None), story


def _lifted_at(facts: Facts) -> str | None:
    """What was undone before it was ever in force was not there to be lifted."""
    if facts.in_force():
        return None
    ended = (one.ended_at for one in facts.entries.values() if one.state == "lifted" or one.applied_at)
    return max((when for when in ended if when), default=None)


def _opens(story: Story, state: str, facts: Facts) -> bool:
    """A new episode begins. A fixed case whose proof merely could not be repeated stays in the old one if it has one,
    as long as nothing worse is known of it.
    """
    known = "not_affected" if facts.anew else story.known
    was_fixed = known == "fixed" or (known == "patched" and story.effective_at is not None)
    if was_fixed and state == "patched" and not facts.fix_gone:
        return story.exposed_at is None
    return state in AFFECTED and (known in ("", *CLOSED) or was_fixed)


def _run_clocks(story: Story, facts: Facts, when: str) -> Story:
    """Each clock stops at its first time in the episode."""
    if facts.fix in ("installed", "in_effect"):
        story = replace(story, installed_at=story.installed_at or when)
    if story.state == "mitigated":
        story = replace(story, mitigated_at=story.mitigated_at or when)
    if story.state == "fixed":
        story = replace(story, effective_at=story.effective_at or when)
    closed = (story.closed_at or when) if story.state in CLOSED else None
    return replace(story, closed_at=closed) if closed != story.closed_at else story


def judge_state(facts: Facts) -> str:
    if facts.retired:
        return "not_affected"
    if facts.doubt or facts.rebuilt or facts.affected is None or _only_history(facts):
        return "unknown"
    if not facts.affected:
        return "not_affected"
    if facts.fix == "in_effect":
        return "fixed"
    if facts.fix == "installed":
        return "patched"
    return "mitigated" if any(_proven(facts, entry) for entry in facts.in_force()) else "exposed"


def _only_history(facts: Facts) -> bool:
    """All that was ever heard is a journal's mitigations that are over: why, and what is there now, nobody has told."""
    return (
        bool(facts.affected)
        and facts.fix == "untold"
        and not facts.in_force()
        and not any(one.gone for one in facts.entries.values())
    )


def judge_reason(facts: Facts, state: str, known: str) -> str:
    note = f"; {facts.basis.note}" if facts.basis.note and state not in CLOSED else ""
    return _why(facts, state, known) + note


def _why(facts: Facts, state: str, known: str) -> str:
    if facts.retired:
        return facts.retired
    if state == "unknown":
        last = f"; last known: {known}" if known else ""
        if known in AFFECTED and _is_outdated(facts):
            last += f"; {_why(replace(facts, doubt=''), known, '')}"
        return (facts.doubt or facts.rebuilt or "never assessed") + last
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


def _is_outdated(facts: Facts) -> bool:
    """It was closed, or is mitigated, in a way that a later revision took back."""
    held = ((entry.mitigation, facts.proofs.get(entry.entry)) for entry in facts.in_force())
    return facts.basis.reopened or any(is_withdrawn(facts.basis, name, proof) for name, proof in held)


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
    if is_withdrawn(facts.basis, entry.mitigation, proof):
        return f"revision {facts.basis.known} withdrew mitigation {entry.mitigation}"
    because = f": {proof.reason}" if proof and proof.reason else ""
    return f"mitigation {entry.stands}, not proven{because}"


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
    if entry.stands != "applied" or entry.withdrawn or proof is None or proof.verdict != "pass":
        return False
    return not is_withdrawn(facts.basis, entry.mitigation, proof)


def _name(entry: Entry) -> str:
    return entry.mitigation or entry.entry


def judge_flags(facts: Facts) -> tuple[str, ...]:
    if facts.retired:
        return ("retired",)
    open_still = facts.affected is not False and facts.fix != "in_effect"
    lost = open_still and bool(_lost_reason(facts))
    flags = (("regressed", facts.fix_gone), ("reopened", facts.basis.reopened), ("mitigation_lost", lost))
    return tuple(name for name, holds in flags if holds)


def judge_waiting(facts: Facts, state: str) -> str:
    """What is missing for the fix; for a closed case with something in force, what is missing to be rid of it."""
    if state in CLOSED:
        return (facts.act_refused or "nothing: lift it") if facts.in_force() else ""
    if facts.fix == "installed":
        return f"installed, not in effect: {facts.fix_open or 'not verified yet'}"
    if facts.fix_refused:
        return facts.fix_refused
    if facts.fix_gone:
        return f"fix gone: {facts.said}"
    return f"fix of revision {facts.basis.known} not tried yet" if facts.basis.reopened else "fix not tried yet"


def case_of(key: Key, told: Fold) -> Case:
    facts, story = told.facts, told.story
    held = tuple(_mitigation(facts, entry) for entry in sorted(facts.in_force(), key=lambda one: one.entry))
    estate, host, remedy = key
    return Case(
        estate=estate,
        host=host,
        remedy=remedy,
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
        lifted_at=_lifted_at(facts),
        closed_at=story.closed_at,
        answered_at=facts.answered_at,
        mitigations=held,
        held=len(held),
        protected_until=_protected_until(facts),
        acceptance=facts.acceptance,
        accepted_until=facts.acceptance.until if facts.acceptance else None,
        exposure=facts.exposure,
        criticality=facts.criticality,
        owner=facts.owner,
        episodes=story.episodes,
    )


def _protected_until(facts: Facts) -> str | None:
    """The latest end among the proven ones; None where nothing is proven or one of them has no end."""
    ends = [_expiry(facts, entry) for entry in facts.in_force() if _proven(facts, entry)]
    return max((end for end in ends if end), default=None) if all(ends) else None


def _expiry(facts: Facts, entry: Entry) -> str | None:
    extension = facts.extensions.get(entry.entry)
    if extension is None or entry.expires_at is None:
        return entry.expires_at
    return max(entry.expires_at, extension.until)


def _mitigation(facts: Facts, entry: Entry) -> Mitigation:
    proof = facts.proofs.get(entry.entry)
    return Mitigation(
        id=entry.mitigation,
        entry=entry.entry,
        state=entry.stands,
        applied_at=entry.applied_at,
        owner=entry.owner,
        expires_at=_expiry(facts, entry),
        persists=entry.persists,
        proof=proof.verdict if proof else "",
        proof_reason=proof.reason if proof else "",
        proven_at=proof.passed_at if proof else None,
        origin=entry.origin or "found",
        extended=facts.extensions.get(entry.entry),
    )
