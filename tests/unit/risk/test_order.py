"""Due dates and the order of work: one file a behaviour, one runner. `expect` is the whole order."""

from pathlib import Path

import pytest
import yaml
from tests.unit.risk.makers import case, judge_of, now_of

from stopgap.risk import order
from stopgap.risk.due import find_dates
from stopgap.risk.explain import Story, sentences
from stopgap.risk.facts import RemedyFacts

CASES = Path(__file__).parents[2] / "cases" / "risk"
ASKED = {"host", "remedy", "state", "rank", "due", "basis", "days", "forensics", "overdue", "breached", "why", "says"}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_order(path):
    told = yaml.safe_load(path.read_text())
    now = now_of(told)
    ranked = order.order_of_work([case(said, now) for said in told["cases"]], judge_of(told))
    assert len(ranked) == len(told["expect"]), [one.case.host for one in ranked]
    for one, wanted in zip(ranked, told["expect"], strict=True):
        assert set(wanted) <= ASKED
        matches(one, wanted, now)


def matches(one, wanted, now):
    due = one.judged.due
    seen = {name: getattr(one.case, name) for name in ("host", "remedy", "state")} | {"breached": one.breached}
    seen |= {"rank": one.rank.name.lower(), "due": "none"}
    if due:
        seen |= {name: getattr(due, name) for name in ("basis", "days", "forensics", "overdue")}
        seen["due"] = due.due_at.date() if due.due_at else None
    plain = {name: value for name, value in wanted.items() if name not in ("why", "says")}
    assert {name: seen[name] for name in plain} == plain
    assert wanted.get("why", "") in one.why
    explanation = list(sentences(Story(one.case, RemedyFacts(one.case.remedy), one.judged, (), now)))
    for part in wanted.get("says", []):
        assert any(part in sentence for sentence in explanation), explanation


def test_dates_are_worked_out_once_for_all_that_share_their_facts(monkeypatch):
    worked_out = []
    monkeypatch.setattr(order, "find_dates", lambda *given: worked_out.append(given) or find_dates(*given))
    told = {"host": "web1", "exposed_at": "2026-11-20"}
    cases = [
        case({**told, "host": f"web{number}", "exposure": exposure, "owner": f"team{number % 7}"})
        for number in range(300)
        for exposure in ("internet", "internal")
    ]
    assert len(order.order_of_work(cases, judge_of({}))) == 600
    assert len(worked_out) == 2
