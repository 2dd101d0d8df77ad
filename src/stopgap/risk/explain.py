"""The whole story of one case: every fact and date with its source, what decides, and what to do next. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from stopgap.ledger.case import CLOSED
from stopgap.risk.cases import as_of
from stopgap.risk.due import Candidate, Due, candidate_sentence, decision_sentence
from stopgap.risk.facts import RemedyFacts
from stopgap.risk.order import Judged

TRIAGE = "Look for a break-in before you fix: the directive asks for forensic triage, and a fix can wipe the traces."


@dataclass(frozen=True, slots=True)
class Story:
    """`case` is a row of the ledger as risk.cases reads it, its state as of `now`."""

    case: dict[str, Any]
    remedy: RemedyFacts
    judged: Judged
    doubts: tuple[str, ...]
    now: datetime

    @property
    def due(self) -> Due | None:
        """None too for a closed case: nothing is due any more."""
        return None if self.case["state"] in CLOSED else self.judged.due

    @property
    def moment(self) -> str:
        return self.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def tell(case: dict[str, Any], remedy: RemedyFacts, judged: Judged, doubts: tuple[str, ...], now: datetime) -> Story:
    story = Story(case, remedy, judged, doubts, now)
    state, flags = as_of(case["state"], tuple(case["flags"]), case["protected_until"], story.moment)
    return Story({**case, "state": state, "flags": list(flags)}, remedy, judged, doubts, now)


def to_dict(story: Story) -> dict[str, Any]:
    """For `--json`; documented in docs/reference/risk.md."""
    case, due = story.case, story.due
    names = ("estate", "host", "remedy", "revision", "state", "since", "reason", "flags", "waiting_for")
    clocks = ("exposed_at", "mitigated_at", "installed_at", "effective_at", "lifted_at")
    return {
        **{name: case[name] for name in names},
        "title": story.remedy.title,
        "aliases": list(story.remedy.aliases),
        "clocks": {name: case[name] for name in clocks},
        "due": due_dict(due, story.now) if due else None,
        "facts": [asdict(one) for one in story.judged.facts.told],
        "dates": [_date_dict(one, due) for one in due.candidates] if due else [],
        "until_then": list(until_then(story)),
        "next": list(next_steps(story)),
        "doubts": list(story.doubts),
        "explanation": list(sentences(story)),
    }


def due_dict(due: Due, now: datetime) -> dict[str, Any]:
    """`seconds_left` is negative when overdue, null with the next upgrade."""
    return {
        "due_at": due.due_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if due.due_at else None,
        "basis": due.basis,
        "days": due.days,
        "forensics": due.forensics,
        "overdue": due.overdue,
        "seconds_left": int((due.due_at - now).total_seconds()) if due.due_at else None,
    }


def _date_dict(one: Candidate, due: Due) -> dict[str, Any]:
    plain = {**asdict(one), "decides": one == due.decided_by}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in plain.items()}


def sentences(story: Story) -> Iterator[str]:
    """All of it in plain sentences."""
    case = story.case
    yield f"{case['host']}, {case['remedy']}: {case['state']} since {case['since'][:10]}: {case['reason']}."
    if story.due:
        yield from story.due.explanation
    else:
        yield from (one.sentence for one in story.judged.facts.told)
        yield why_not_due(story)
    yield from until_then(story)
    yield from next_steps(story)


def why_not_due(story: Story) -> str:
    if story.case["state"] in CLOSED:
        return f"Nothing is due: the case is {story.case['state'].replace('_', ' ')}."
    return "No due date: this host was never known to be affected."


def dates(story: Story) -> Iterator[tuple[bool, str]]:
    """Each date as (does it decide, sentence)."""
    due = story.due
    for one in due.candidates if due else ():
        yield one == due.decided_by if due else False, candidate_sentence(one)


def decision(story: Story) -> str:
    return decision_sentence(story.due) if story.due else why_not_due(story)


def until_then(story: Story) -> Iterator[str]:
    """What holds meanwhile, and what it does not change."""
    case = story.case
    if case["state"] in CLOSED:
        return
    for one in case["mitigations"]:
        yield _mitigation(one, story.moment)
    if case["mitigations"]:
        yield "A mitigation lowers the risk until the fix; it does not move the fix's due date."
    accepted = case["acceptance"]
    if accepted and str(accepted.get("until")) > story.moment:
        yield (
            f"The risk is accepted until {str(accepted['until'])[:10]} by {accepted.get('by')}: {accepted.get('why')}. "
            "That stops the alarms, and does not move the due date."
        )
    elif accepted:
        yield f"The risk was accepted by {accepted.get('by')} until {str(accepted.get('until'))[:10]}, which is over."


def _mitigation(one: dict[str, Any], moment: str) -> str:
    name = one["id"] or one["entry"]
    proof = f"proven {str(one['proven_at'])[:10]}" if one["proof"] == "pass" else "not proven"
    ends = one["expires_at"]
    if ends is None:
        return f"Mitigation {name} is in force, {proof}, without an expiry of its own."
    over = "expired" if ends <= moment else "expires"
    return f"Mitigation {name} is in force, {proof}; it {over} on {ends[:10]} at {ends[11:16]} UTC."


def next_steps(story: Story) -> Iterator[str]:
    """What a person does now, the first first."""
    case, due = story.case, story.due
    where = f"{case['remedy']} -i INVENTORY -l {case['host']}"
    if due and due.forensics:
        yield TRIAGE
    yield from _act(case, where)
    if due and due.overdue and case["state"] not in CLOSED:
        yield (
            f"It is overdue. Where the fix cannot be had yet, somebody has to answer for that: "
            f"`stopgap accept {case['host']} {case['remedy']}` with who, why and until."
        )
    for fact in story.judged.facts.told:
        if due and fact.assumed and fact.how_to_tell:
            yield f"{fact.name} is not known ({fact.source}). {fact.how_to_tell}"


def _act(case: dict[str, Any], where: str) -> Iterator[str]:
    state = case["state"]
    if state == "unknown":
        yield f"Find out how it stands: `stopgap assess {where}`."
    elif state == "exposed":
        yield f"Close it: `stopgap remediate {where}` applies the fix where it can be had, else a mitigation."
    elif state == "mitigated":
        yield f"Fix it: `stopgap fix {where}`. It waits for: {case['waiting_for']}."
    elif state == "patched":
        yield f"Bring the fix into effect: `stopgap fix {where}`. It waits for: {case['waiting_for']}."
    elif case["mitigations"]:
        yield f"A mitigation is still in force: `stopgap lift {where}`."
    else:
        yield "Nothing to do."
