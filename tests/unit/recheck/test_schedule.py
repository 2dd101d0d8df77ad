"""What is due to be proven again: one file a behaviour, one runner. `expect` is what is due, the latest first."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from tests.unit.risk.makers import CVE, judge_of, moment, now_of

from stopgap.recheck import schedule
from stopgap.recheck.schedule import Standing, due_proofs, share, why
from stopgap.risk.policy import NONE, Policy

CASES = Path(__file__).parents[2] / "cases" / "recheck"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def standing(said):
    known = {"estate": "default", "remedy": CVE, "state": "mitigated", "exposed_at": "2026-11-20", **said}
    given = {
        key: known.get(key, "") for key in ("estate", "host", "remedy", "state", "exposure", "criticality", "owner")
    }
    return Standing(
        **given,
        flags=tuple(known.get("flags", ())),
        exposed_at=moment(known["exposed_at"]),
        answered_at=moment(known.get("answered_at", known.get("asked_at"))),
        accepted_until=None,
    )


def asked_at(said):
    return datetime.fromisoformat(moment(said["asked_at"]))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_due(path, monkeypatch):
    told = yaml.safe_load(path.read_text())
    if not told.get("spread"):
        monkeypatch.setattr(schedule, "share", lambda estate, host: 0.0)
    now, cases = now_of(told), [standing(said) for said in told["cases"]]
    asked = {standing(said).key: asked_at(said) for said in told["cases"] if said.get("asked_at")}
    judge = judge_of(told)
    due = due_proofs(cases, asked, judge, judge.policy.recheck, now)
    assert [one.case.host for one in due] == [wanted["host"] for wanted in told["expect"]]
    for one, wanted in zip(due, told["expect"], strict=True):
        assert wanted.get("says", "") in why(one, moment(wanted.get("proven_at")), now)


def test_a_fleet_that_was_proven_together_spreads_and_does_so_alike_each_time():
    hosts = [f"web{number}" for number in range(1000)]
    cases = [standing({"host": host, "exposure": "isolated"}) for host in hosts]
    judge = judge_of({"remedies": {CVE: {"risk": {"automatable": False}}}})
    rules = NONE.recheck

    def due_after(hours):
        asked = dict.fromkeys((case.key for case in cases), NOW - timedelta(hours=hours))
        return {one.case.host for one in due_proofs(cases, asked, judge, rules, NOW)}

    # Next upgrade: once a day. Nobody before three quarters of that, all after it, evenly between.
    counts = [len(due_after(hours)) for hours in (17.99, 19.5, 21, 22.5, 24)]
    assert counts[0] == 0
    assert counts[-1] == 1000
    assert all(200 < later - before < 300 for before, later in pairwise(counts)), counts
    assert due_after(21) == due_after(21)
    assert due_after(19.5) < due_after(21)


def test_a_hosts_share_is_its_own_and_stays():
    """Written down once: it may depend on nothing but the names, not even on the process."""
    assert round(share("default", "web1"), 6) == 0.390895
    assert share("default", "web1") != share("training", "web1")


@pytest.mark.parametrize(
    ("recheck", "says"),
    [
        ([], "the last one without days"),
        ([{"days": 3, "every": "1h"}], "the last one without days"),
        ([{"every": "1h"}, {"every": "1d"}], "by rising days"),
        ([{"days": 14, "every": "6h"}, {"days": 3, "every": "1h"}, {"every": "1d"}], "by rising days"),
        ([{"every": "10 minutes"}], "12h, 14d, 4w"),
        ([{"every": "9w"}], "less than or equal to"),
    ],
)
def test_a_wrong_policy(recheck, says):
    with pytest.raises(ValueError, match=says):
        Policy.model_validate({"apiVersion": "stopgap/v1", "recheck": recheck})
