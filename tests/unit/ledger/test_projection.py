"""What events make of a case: one file a behaviour, one runner. `now` (in minutes) reads the case by the clock."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from tests.unit.ledger.makers import START, event, moment, short_event

from stopgap.ledger.case import CLOSED, as_of, to_dict
from stopgap.ledger.debts import owed
from stopgap.ledger.projection import Fold, fold, project, tell

CASES = Path(__file__).parents[2] / "cases" / "projection"
OF_MITIGATION = ("applied_at", "expires_at", "origin")
TIMES = (
    "since", "exposed_at", "mitigated_at", "installed_at", "effective_at", "lifted_at", "protected_until",
    "accepted_until", "applied_at", "closed_at", "expires_at",
)  # fmt: skip


def _minute(text: str) -> int:
    return int((datetime.fromisoformat(text) - START).total_seconds() // 60)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_projection(path):
    told = yaml.safe_load(path.read_text())
    case = project(short_event(minute, said) for minute, said in enumerate(told["events"], start=1))
    now = START + timedelta(minutes=told.get("now", 0))
    if "now" in told:
        case = as_of(case, now)
    rows = list(owed(case, now))
    is_closed = case.state in CLOSED
    seen = to_dict(case) | {
        "debt": [row.entry for row in rows if not is_closed],
        "orphans": [row.entry for row in rows if is_closed],
        "overdue": [row.entry for row in rows if row.overdue],
        "earlier": [{key: _minute(value) for key, value in one.items() if value} for one in to_dict(case)["episodes"]],
        **{name: next((getattr(one, name) for one in case.mitigations), None) for name in OF_MITIGATION},
    }
    wanted = {
        name: moment(value) if name in TIMES and value is not None else value for name, value in told["expect"].items()
    }
    assert {name: seen[name] for name in wanted} == wanted


def test_no_event_of_a_remedy_is_no_case():
    with pytest.raises(ValueError, match="no case"):
        project([event(kind="journal", verdict="seen", remedy="", evidence={"in_force": []})])


def test_a_case_keeps_what_is_in_force_and_does_not_grow_with_what_is_over():
    told = [event(at=moment(0))]
    for number in range(300):
        said = {"entry": f"E{number}", "mitigation": "m", "heard_at": moment(number)}
        told += [event(kind="mitigation", verdict=verdict, evidence=said) for verdict in ("applied", "lifted")]
        told.append(event(kind="verified", verdict="pass", at=moment(number), evidence={"phase": "mitigation", **said}))
    told[1:1] = [event(kind="mitigation", verdict="applied", evidence={"entry": "E", "heard_at": moment(0)})]
    kept = fold(Fold(), [tell(one) for one in told])
    assert len(kept.facts.entries) == 51
    assert len(kept.facts.proofs) <= 51
    assert [one.entry for one in project(told).mitigations] == ["E"]


def test_the_last_revision_told_is_the_case_s():
    assert project([event(revision=1), event(revision=2), event(revision=0)]).revision == 2
