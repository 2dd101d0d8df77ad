"""The whole story of one case: every fact and date with its source, what decides, and what to do next. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from stopgap.ledger.case import CLOSED, Case, Mitigation
from stopgap.ledger.events import TIME_FORMAT
from stopgap.risk.due import Candidate, Due, candidate_sentence, decision_sentence
from stopgap.risk.facts import RemedyFacts
from stopgap.risk.order import Judged, nothing_open

TRIAGE = "Look for a break-in before you fix: forensic triage is asked for, and a fix can wipe the traces."
CLOCKS = ("exposed_at", "mitigated_at", "installed_at", "effective_at", "lifted_at")


@dataclass(frozen=True, slots=True)
class Story:
    """`case` is as of `now`; `doubts` are sentences about the feeds it rests on. `estate`: as it was asked for, since
    who has to name it here has to name it in the next command, too.
    """

    case: Case
    remedy: RemedyFacts
    judged: Judged
    doubts: tuple[str, ...]
    now: datetime
    estate: str = ""

    @property
    def is_closed(self) -> bool:
        return self.case.state in CLOSED

    @property
    def due(self) -> Due | None:
        """None too for a closed case: nothing is due any more."""
        return None if self.is_closed else self.judged.due

    @property
    def moment(self) -> str:
        return self.now.astimezone(UTC).strftime(TIME_FORMAT)


def to_dict(story: Story) -> dict[str, Any]:
    """For `--json`; documented in docs/reference/risk.md."""
    case, due = story.case, story.due
    names = ("estate", "host", "remedy", "revision", "state", "since", "reason", "flags", "waiting_for")
    return {
        **{name: getattr(case, name) for name in names},
        "title": story.remedy.title,
        "aliases": list(story.remedy.aliases),
        "clocks": {name: getattr(case, name) for name in CLOCKS},
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
        "due_at": due.due_at.strftime(TIME_FORMAT) if due.due_at else None,
        "basis": due.basis,
        "days": due.days,
        "forensics": due.forensics,
        "overdue": due.overdue,
        "seconds_left": int((due.due_at - now).total_seconds()) if due.due_at else None,
    }


def _date_dict(one: Candidate, due: Due) -> dict[str, Any]:
    plain = asdict(one) | {"decides": one == due.decided_by}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in plain.items()}


def sentences(story: Story) -> Iterator[str]:
    """All of it, to be read from the first to the last."""
    case = story.case
    yield f"{case.host}, {case.remedy}: {case.state} since {case.since[:10]}: {case.reason}."
    yield from (one.sentence for one in story.judged.facts.told)
    yield from (sentence for _, sentence in dates(story))
    yield decision(story)
    yield from until_then(story)
    yield from next_steps(story)


def dates(story: Story) -> Iterator[tuple[bool, str]]:
    """Each date as (does it decide, sentence)."""
    if story.due:
        for one in story.due.candidates:
            yield one == story.due.decided_by, candidate_sentence(one)


def decision(story: Story) -> str:
    if story.due:
        return decision_sentence(story.due)
    if story.is_closed:
        return f"Nothing is due: the case is {story.case.state.replace('_', ' ')}."
    return f"No due date: {nothing_open(story.case)}."


def until_then(story: Story) -> Iterator[str]:
    """What holds meanwhile, and what it does not change."""
    if story.is_closed:
        return
    for one in story.case.mitigations:
        yield _mitigation(one, story.moment)
    if story.case.mitigations:
        yield "A mitigation lowers the risk until the fix; it does not move the fix's due date."
    told = story.case.acceptance
    if told and told.until > story.moment:
        yield (
            f"The risk is accepted until {told.until[:10]} by {told.by}: {told.why}. "
            "That quiets the alarms; it does not move the due date."
        )
    elif told:
        yield f"The risk was accepted by {told.by} until {told.until[:10]}: that is over."


def _mitigation(one: Mitigation, moment: str) -> str:
    name = one.id or one.entry
    if one.proof == "lost" or (one.proof == "fail" and one.proven_at):
        return f"Mitigation {name} is LOST: it was put in force, and the last check found it without effect."
    proof = f"proven {str(one.proven_at)[:10]}" if one.proof == "pass" else "not proven"
    if one.expires_at is None:
        return f"Mitigation {name} is in force, {proof}, without an expiry of its own."
    verb = "expired" if one.expires_at <= moment else "expires"
    return f"Mitigation {name} is in force, {proof}; it {verb} on {one.expires_at[:10]} at {one.expires_at[11:16]} UTC."


def next_steps(story: Story) -> Iterator[str]:
    """What a person does now, the first first."""
    case, due = story.case, story.due
    if due and due.forensics:
        yield TRIAGE
    yield _act(case, f"{case.remedy} -i INVENTORY -l {case.host}")
    if due and due.overdue and "accepted" not in case.flags:
        estate = f" --estate {story.estate}" if story.estate else ""
        yield (
            "It is overdue. Where the fix cannot be had yet, somebody has to answer for that, with why and until when: "
            f"`stopgap accept {case.host} {case.remedy}{estate} --until DATE --why WHY`."
        )
    if due:
        yield from (
            f"{one.name}: {one.source}. {one.how_to_tell}" for one in due.facts if one.how_to_tell and one.decides
        )


def _act(case: Case, where: str) -> str:
    waits = f" It waits for: {case.waiting_for}." if case.waiting_for else ""
    if case.state == "unknown":
        return f"Find out how it stands: `stopgap assess {where}`."
    if case.state == "exposed":
        return f"Close it: `stopgap remediate {where}` applies the fix where it can be had, else a mitigation."
    if case.state == "mitigated":
        return f"Fix it: `stopgap fix {where}`.{waits}"
    if case.state == "patched":
        return f"Bring the fix into effect: `stopgap fix {where}`.{waits}"
    return f"A mitigation is still in force: `stopgap lift {where}`." if case.mitigations else "Nothing to do."
