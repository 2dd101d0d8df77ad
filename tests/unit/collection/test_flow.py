"""What the role does next and where a case stands at the end: cases as data, named by behaviour."""

from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.action.remedies import split_ids
from ansible_collections.stopgap.remediation.plugins.filter import flow as filters
from ansible_collections.stopgap.remediation.plugins.plugin_utils import flow

CASES = sorted((Path(__file__).parents[2] / "cases/flow").glob("*.yml"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_flow(path):
    case = yaml.safe_load(path.read_text())
    said = {key: case.get(key, []) for key in ("assess", "patch", "mitigation", "verification", "lift")}
    ids = [a["remedy"] for a in said["assess"]]
    remedies = [{"id": i} for i in dict.fromkeys(ids)]
    expect = case["expect"]
    mode = case["mode"]
    if "wants_fix" in expect:
        assert [r["id"] for r in flow.wants_fix(remedies, said["assess"])] == expect["wants_fix"]
    if "wants_mitigation" in expect:
        wanted = flow.wants_mitigation(remedies, said["assess"], said["patch"])
        assert [r["id"] for r in wanted] == expect["wants_mitigation"]
    if "targets" in expect:
        assert flow.verify_targets(said) == expect["targets"]
    if "wants_lifting" in expect:
        force = case.get("force", False)
        wanted = flow.wants_lifting(remedies, said["assess"], said["verification"], mode, force)
        assert [r["id"] for r in wanted] == expect["wants_lifting"]
    cases = flow.outcomes(said, mode)
    if "states" in expect:
        assert {c["remedy"]: c["state"] for c in cases} == expect["states"]
    if "verdict" in expect:
        assert flow.host_verdict(cases) == expect["verdict"]
    if "waiting_for" in expect:
        assert [c["waiting_for"] for c in cases] == expect["waiting_for"]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("CVE-1, CVE-2", ["CVE-1", "CVE-2"]),
        ("CVE-1\nCVE-2\n", ["CVE-1", "CVE-2"]),
        (["CVE-1", "CVE-2 CVE-3"], ["CVE-1", "CVE-2", "CVE-3"]),
        ("", []),
        ([], []),
    ],
)
def test_ids_come_as_a_list_or_as_one_string(given, ids):
    assert split_ids(given) == ids


def test_a_step_that_was_skipped_or_broke_said_nothing():
    hostvars = {
        "a": {"__remediate_assessed": {"skipped": True}},
        "b": {},
        "c": {"__remediate_patched": {"failed": True}},
    }
    assert filters.verify_targets(["a", "b", "c"], hostvars, "fix") == {}


def test_only_hosts_that_lifted_are_proven_once_more():
    lifted = {"__remediate_lifted": {"results": [{"remedy": "CVE-1", "state": "lifted"}]}}
    refused = {"__remediate_lifted": {"results": [{"remedy": "CVE-1", "state": "refused"}]}}
    again = filters.lifted_targets(["a", "b"], {"a": lifted, "b": refused}, "fix")
    assert again == {"a": [{"remedy": "CVE-1", "phase": "fix", "mitigation": None}]}


def test_what_an_earlier_verb_of_the_same_run_registered_is_not_heard():
    variables = {
        "__remediate_assessed": {"assessments": [{"remedy": "CVE-1", "state": "exposed"}]},
        "__remediate_mitigated": {"assessments": [], "results": [{"remedy": "CVE-1", "state": "applied"}]},
        "__remediate_reassessed": {"assessments": [{"remedy": "CVE-1", "state": "patched"}]},
    }
    assert flow.said(variables, "mitigate", "a")["assess"] == []
    assert flow.said(variables, "fix", "a")["mitigation"] == []
    assert [one["state"] for one in flow.said(variables, "fix", "a")["assess"]] == ["exposed"]


def test_what_the_controller_finished_replaces_what_was_pending_and_nothing_else():
    variables = {
        "__remediate_mitigated": {
            "results": [{"remedy": "CVE-1", "state": "pending_tasks"}, {"remedy": "CVE-2", "state": "failed"}]
        },
        "__remediate_finished": {
            "results": [{"remedy": "CVE-1", "state": "applied"}, {"remedy": "CVE-2", "state": "applied"}]
        },
    }
    told = flow.said(variables, "mitigate", "a")["mitigation"]
    assert [one["state"] for one in told] == ["applied", "failed"]


ROLE = Path(flow.__file__).parents[2] / "roles/remediate/tasks"
VERBS = [path for path in sorted(ROLE.glob("*.yml")) if path.stem != "main"]


@pytest.mark.parametrize("path", VERBS, ids=lambda p: p.stem)
def test_every_verb_is_a_list_of_steps_and_has_its_goal(path):
    steps = [task.get("ansible.builtin.import_tasks") for task in yaml.safe_load(path.read_text())]
    assert path.stem == "sync" or (path.stem in flow.GOALS and steps[-1] == "steps/report.yml")
    assert path.stem == "sync" or all((ROLE / step).is_file() for step in steps)
