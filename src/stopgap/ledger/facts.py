"""What the events of one case say, folded one by one. Pure: no clock, no database.

Facts know nothing of states; `projection` judges them. A handler takes the facts so far and one event and returns the
facts after it. Events come in the order of projection.Told, and their `at` is never later than they count.

What is added here is kept by `folded` as well: plain values need nothing, see there for others.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from stopgap.ledger.case import Acceptance, Extension
from stopgap.ledger.events import OF_MACHINE, REASON_LIMIT, Event, clean, is_time
from stopgap.ledger.reopening import Basis, know, weigh

# The states of an entry's own history. Its order is the journal's (evidence.step), whatever the clocks of hosts say;
# an entry cut short or lost may be applied again, one that is over stays over.
IN_FORCE = frozenset({"intended", "applied", "lifting"})
OVER = frozenset({"lifted", "undone"})
SLACK = 60  # seconds; a journal that was read while an entry ended may be heard after that

OVER_KEPT = 50  # entries of a case that are over

TTL_LIMIT = 100 * 366 * 24 * 3600  # seconds; more than this is no ttl

# Nobody answered: the next verification that passes is an answer. Any other doubt is the host's own.
UNANSWERED = frozenset({"unreachable"})


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
    said: str = ""  # the last assessment's sentence
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
    proven_before: bool = False  # on that one the fix was in effect
    retired: str = ""  # somebody said that the host is gone; until it answers again
    anew: bool = False  # it has, and for all we know as another machine: what it is affected by begins anew

    basis: Basis = Basis()  # what the answers rest on, and what is known since

    def in_force(self) -> list[Entry]:
        """Nothing on a host that is gone; it keeps its entries, in case it is not."""
        return [] if self.retired else [entry for entry in self.entries.values() if entry.in_force]


def learn(facts: Facts, event: Event) -> Facts:
    handle = HANDLERS.get(event.kind)
    if handle is None:
        return facts
    after = handle(_hear_machine(_hear_of_retirement(facts, event), event), event)
    if event.kind in ANSWERS:
        after = weigh(facts, after, event)
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
        _proven_elsewhere(facts),
        machine=machine,
        anew=anew,
        rebuilt=f"answers as another machine since {event.at[:10]} {event.at[11:16]}: it was rebuilt; assess it again",
        proofs={},
    )


def _proven_elsewhere(facts: Facts) -> Facts:
    """The fix was proven, if at all, on another disk than the one that answers."""
    proven = facts.fix == "in_effect"
    fix = "installed" if proven else facts.fix
    return replace(facts, proven_before=facts.proven_before or proven, fix=fix, fix_open="", objection="")


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
    gone = facts.fix_gone or facts.fix == "in_effect" or facts.proven_before
    facts = replace(facts, doubt="", rebuilt="", proven_before=False, said=event.reason, answered_at=event.at)
    facts = _hear_of_mitigation(facts, event)
    if event.verdict == "not_affected":
        return replace(facts, affected=False, fix="untold", fix_open="", objection="", fix_gone=False, fix_refused="")
    if event.verdict == "patched":
        return _fix_on_disk(facts, event)
    return replace(facts, affected=True, fix="absent", fix_open="", objection="", fix_gone=gone)


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
    gone = facts.fix_gone or facts.fix == "in_effect"
    return replace(facts, fix="installed", fix_open=event.reason, objection=event.reason, fix_gone=gone)


def _hear_of_mitigation(facts: Facts, event: Event) -> Facts:
    """An assessment reads the journal too: it may name an entry nobody told us of, or find one without effect."""
    told: Any = event.evidence.get("mitigation", {})
    if told is None:
        return _none_held(facts, event)
    name, code = text_of(told, "entry"), event.evidence.get("code")
    if not name or not (told.get("in_force") or code == "mitigation_lost"):
        return facts
    entry = facts.entries.get(name, Entry(name, mitigation=text_of(told, "id")))
    if _came_back(entry, event):
        facts, entry = _without_proofs(facts, {name}), replace(entry, back=True)
    if code == "mitigation_lost":
        facts = _set_proof(facts, name, "lost", event)
    if code == "mitigation_in_force":
        facts = _forget_loss(facts, name)
    withdrawn = code == "mitigation_withdrawn"
    return _set_entry(facts, replace(entry, gone=False, withdrawn=withdrawn))


def _none_held(facts: Facts, event: Event) -> Facts:
    """The host has looked: its journal holds nothing of this remedy, whatever we heard: somebody may have lifted it.

    One that was put in force while the host was asked is not meant.
    """
    meant = {
        name
        for name, one in facts.entries.items()
        if one.in_force and one.applied_at and event.at > later(one.applied_at, SLACK)
    }
    if not meant:
        return facts
    entries = {
        name: replace(one, gone=True, back=False) if name in meant else one for name, one in facts.entries.items()
    }
    return replace(facts, entries=entries)


# --- the journal's own history -------------------------------------------------------------------------------------


def _mitigation(facts: Facts, event: Event) -> Facts:
    if event.verdict not in IN_FORCE | OVER:
        return replace(facts, act_refused=event.reason)
    name = text_of(event.evidence, "entry")
    if not name:
        return facts
    entry = _with_history(facts.entries.get(name, Entry(name)), event)
    if event.verdict == "applied":
        facts = _forget_loss(facts, name)  # heard of later: what was found before says nothing of it
    facts = _set_entry(facts, entry)
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


def _journal(facts: Facts, event: Event) -> Facts:
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
        _proven_elsewhere(_without_proofs(facts, back)),
        rebuilt=f"its journal holds {names} again, which was {state}: put back to an earlier state; assess it again",
    )


# --- the fix -------------------------------------------------------------------------------------------------------


def _patch(facts: Facts, event: Event) -> Facts:
    if event.verdict in ("refused", "failed"):
        return replace(facts, fix_refused=event.reason)
    if event.verdict == "rolled_back":
        gone = facts.fix_gone or facts.fix == "in_effect"
        return replace(facts, fix="absent", fix_open="", objection="", fix_gone=gone, fix_refused=event.reason)
    if facts.affected is False:
        return facts
    kept = event.verdict == "already" and facts.fix == "in_effect"
    return replace(
        facts, affected=True, fix="in_effect" if kept else "installed", fix_refused="", fix_open=_still_open(event)
    )


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
    return replace(facts, doubt="", fix_open="", fix_gone=False, fix_refused="")


def _fix_not_proven(facts: Facts, event: Event) -> Facts:
    lost = event.verdict == "fail" and facts.fix == "in_effect"
    return replace(
        facts,
        fix="installed" if facts.fix == "in_effect" else facts.fix,
        fix_open=event.reason,
        fix_gone=facts.fix_gone or lost,
        answered_at=event.at if event.verdict == "fail" else facts.answered_at,
    )


def _mitigation_proof(facts: Facts, event: Event) -> Facts:
    """The callback names the entry where it knows it; else the proof is of every entry of that mitigation in force."""
    named = text_of(event.evidence, "entry")
    mitigation = text_of(event.evidence, "mitigation")
    meant = [named] if named else [one.entry for one in facts.in_force() if mitigation in ("", one.mitigation)]
    for entry in meant:
        facts = _set_proof(_extend(facts, entry, event), entry, event.verdict, event)
    return facts if event.verdict == "unknown" else replace(facts, answered_at=event.at)


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


# --- small parts ---------------------------------------------------------------------------------------------------


def _set_entry(facts: Facts, entry: Entry) -> Facts:
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


def _without_proofs(facts: Facts, names: set[str]) -> Facts:
    return replace(facts, proofs={name: one for name, one in facts.proofs.items() if name not in names})


def _forget_loss(facts: Facts, entry: str) -> Facts:
    proof = facts.proofs.get(entry)
    if proof is None or proof.verdict != "lost":
        return facts
    return _without_proofs(facts, {entry})


def _set_proof(facts: Facts, entry: str, verdict: str, event: Event) -> Facts:
    before = facts.proofs.get(entry)
    if before and before.verdict == "lost" and verdict == "pass":
        return facts  # the host says it is not in effect: only applying it again, or the host, takes that back
    passed = event.at if verdict == "pass" else before.passed_at if before else None
    revision = event.revision if verdict == "pass" else before.revision if before else 0
    return replace(facts, proofs={**facts.proofs, entry: Proof(verdict, event.reason, passed, revision)})


def later(moment: str, seconds: int) -> str:
    """Both in the ledger's spelling of time; the end of time where there is no such moment."""
    try:
        then = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    except OverflowError:
        return "2999-12-31T23:59:59.999999Z"
    return then.isoformat(timespec="microseconds")[:-6] + "Z"  # strftime takes four times as long


def text_of(evidence: Any, key: str) -> str:
    value = evidence.get(key) if isinstance(evidence, dict) else None
    return value if isinstance(value, str) else ""


HANDLERS: dict[str, Callable[[Facts, Event], Facts]] = {
    "assessed": _assessed,
    "mitigation": _mitigation,
    "patch": _patch,
    "verified": _verified,
    "journal": _journal,
    "accepted": _accepted,
    "remedy": know,
}
OF_A_HOST = frozenset({"assessed", "mitigation", "patch", "verified", "journal"})
ANSWERS = frozenset({"assessed", "patch", "verified"})  # under a revision that the controller names
