"""What the role does next and where a case stands at the end: cases as data, named by behaviour."""

import inspect
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, nodes

from ansible_collections.stopgap.remediation.plugins.filter import flow as filters
from ansible_collections.stopgap.remediation.plugins.plugin_utils import flow
from ansible_collections.stopgap.remediation.plugins.plugin_utils.choice import split_ids
from ansible_collections.stopgap.remediation.plugins.plugin_utils.said import said
from ansible_collections.stopgap.remediation.plugins.plugin_utils.witness import due_of

CASES = sorted((Path(__file__).parents[2] / "cases/flow").glob("*.yml"))


def variables_of(case):
    """What the role registers in such a run, on a host called h."""
    fix = {"reboot": case.get("reboot", "if_required")}
    names = case.get("chosen") or {a["remedy"] for a in case["assess"]}
    remedies = [{"id": name, "mitigations": [], "fix": fix} for name in names]
    assess = case["assess"]
    return {
        "__remediate_chosen": {"remedies": remedies},
        "__remediate_assessed": {"assessments": assess},
        "__remediate_patched": {"results": case.get("patch")},
        "__remediate_left": {"assessments": case.get("left")},
        "__remediate_mitigated": {"assessments": assess, "results": case.get("mitigation")},
        "__remediate_verified": {"results": {"h": case.get("verification")}},
        "__remediate_booted": {"assessments": case.get("booted")},
        "__remediate_sheltered": {"results": case.get("sheltered")},
        "__remediate_rolled_back": {"results": case.get("rollback")},
        "__remediate_back": {"assessments": case.get("back"), "results": case.get("sheltered")},
        "__remediate_reproven": {"results": {"h": case.get("reproven")}},
        "__remediate_lifted": {"results": case.get("lift")},
        "__remediate_reassessed": {"assessments": case.get("assess_again")},
        "__remediate_reverified": {"results": {"h": case.get("verification_again")}},
    }


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_flow(path):
    case = yaml.safe_load(path.read_text())
    mode, variables = case["mode"], variables_of(case)
    told = said(variables, mode, "h")
    remedies = variables["__remediate_chosen"]["remedies"]
    choice = case.get("choice", "auto")
    cases = flow.outcomes(told, mode, choice)
    bad = flow.wants_rollback(remedies, told, choice)
    found = {
        "wants_reboot": [r["id"] for r in flow.wants_reboot(remedies, told)],
        "wants_rollback": [r["id"] for r in bad],
        "may_go_back": [r["id"] for r in flow.may_go_back(bad, told)],
        "returned_targets": flow.returned_targets(told),
        "reasons": [c["reason"] for c in cases],
        "wants_fix": [r["id"] for r in flow.wants_fix(remedies, told)],
        "wants_mitigation": [r["id"] for r in flow.wants_mitigation(remedies, told)],
        "targets": flow.verify_targets(told),
        "wants_lifting": [r["id"] for r in flow.wants_lifting(remedies, told, mode, case.get("force", False))],
        "states": {c["remedy"]: c["state"] for c in cases},
        "waiting_for": [c["waiting_for"] for c in cases],
        "verdict": flow.host_verdict(cases),
    }
    assert {key: found[key] for key in case["expect"]} == case["expect"]


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


CHOSEN = {"__remediate_chosen": {"remedies": [{"id": "CVE-1"}, {"id": "CVE-2"}]}}


def test_a_step_that_was_skipped_or_broke_said_nothing():
    hostvars = {
        "a": {"__remediate_assessed": {"skipped": True}},
        "b": {},
        "c": {"__remediate_patched": {"failed": True}},
    }
    assert filters.verify_targets(["a", "b", "c"], hostvars, "fix") == {}


def test_only_hosts_that_lifted_are_proven_once_more():
    lifted = {**CHOSEN, "__remediate_lifted": {"results": [{"remedy": "CVE-1", "state": "lifted"}]}}
    refused = {**CHOSEN, "__remediate_lifted": {"results": [{"remedy": "CVE-1", "state": "refused"}]}}
    again = filters.lifted_targets(["a", "b"], {"a": lifted, "b": refused}, "fix")
    assert again == {"a": [{"remedy": "CVE-1", "phase": "fix", "mitigation": None}]}


def states(items):
    return {item["remedy"]: item["state"] for item in items}


def test_what_an_earlier_verb_of_the_same_run_registered_is_not_heard():
    variables = {
        **CHOSEN,
        "__remediate_assessed": {"assessments": [{"remedy": "CVE-1", "state": "exposed"}]},
        "__remediate_mitigated": {"assessments": [], "results": [{"remedy": "CVE-1", "state": "applied"}]},
        "__remediate_reassessed": {"assessments": [{"remedy": "CVE-1", "state": "patched"}]},
    }
    assert states(said(variables, "mitigate", "a")["assess"]) == {"CVE-1": "unknown", "CVE-2": "unknown"}
    assert said(variables, "fix", "a")["mitigation"] == []
    assert states(said(variables, "fix", "a")["assess"]) == {"CVE-1": "exposed", "CVE-2": "unknown"}


def test_p09_a_host_that_lifted_brings_up_no_other_remedy():
    variables = {
        **CHOSEN,
        "__remediate_lifted": {"results": [{"remedy": "CVE-1", "state": "lifted"}]},
        "__remediate_reassessed": {"assessments": [{"remedy": "CVE-9", "state": "exposed"}]},
    }
    assert set(states(said(variables, "fix", "a")["assess"])) == {"CVE-1", "CVE-2"}


def begun(entry, steps, state="pending_tasks", remedy="CVE-1"):
    return {"remedy": remedy, "state": state, "entry": entry, "history": [{}] * steps}


def test_what_the_controller_finished_replaces_what_was_pending_and_nothing_else():
    first = [begun("E1", 1), begun("E2", 1, "failed", "CVE-2")]
    ends = [begun("E1", 2, "applied"), begun("E2", 2, "applied", "CVE-2")]
    variables = {**CHOSEN, "__remediate_mitigated": {"results": first}, "__remediate_finished": {"results": ends}}
    assert states(said(variables, "mitigate", "a")["mitigation"]) == {"CVE-1": "applied", "CVE-2": "failed"}


def test_what_an_earlier_play_finished_does_not_stand_for_new_pending_tasks():
    variables = {
        **CHOSEN,
        "__remediate_mitigated": {"results": [begun("E1", 3)]},
        "__remediate_finished": {"results": [begun("E1", 2, "applied")]},
    }
    assert states(said(variables, "mitigate", "a")["mitigation"]) == {"CVE-1": "pending_tasks"}


HOSTILE = [
    "x",
    None,
    7,
    [],
    {},
    {"remedy": "CVE-1"},
    {"remedy": ["CVE-1"], "state": {}},
    {"remedy": "CVE-9", "state": "fixed"},
    {"remedy": "CVE-1", "state": "exposed"},
    {"remedy": "CVE-1", "state": "exposed", "evidence": "x"},
    {"remedy": "CVE-1", "state": "mitigated", "evidence": {"mitigation": "x"}, "pending_tasks": "x", "history": 1},
    {"remedy": "CVE-1", "state": "lifted", "pending_tasks": ["x", {"action": "x", "phase": "rm"}]},
]


@pytest.mark.parametrize("item", HOSTILE, ids=repr)
@pytest.mark.parametrize("mode", flow.GOALS)
def test_p09_no_answer_of_a_host_stops_the_batch(item, mode):
    case = {key: [item] for key in ("assess", "patch", "left", "mitigation", "lift", "assess_again")}
    variables = variables_of({**case, "chosen": ["CVE-1", "CVE-2"]})
    told = said(variables, mode, "h")
    remedies = variables["__remediate_chosen"]["remedies"]
    flow.verify_targets(told), flow.lifted_targets(told), flow.wants_lifting(remedies, told, mode, True)
    flow.task_files(remedies, told["mitigation"])
    outcomes = flow.outcomes(told, mode)
    assert {case["remedy"] for case in outcomes} == {"CVE-1", "CVE-2"}
    assert flow.host_verdict(outcomes) != "proven"


def test_p09_a_host_names_an_action_and_never_a_file():
    params = {"apply": "/r/apply.yml", "revert": "/r/revert.yml", "vars": {"a": 1}}
    actions = [{"type": "file", "params": {}}, {"type": "tasks", "params": params}]
    remedies = [{"id": "CVE-1", "mitigations": [{"id": "m", "actions": actions}]}]
    forged = {"phase": "apply", "file": "/etc/evil.yml", "vars": {"b": 2}}
    tasks = [{**forged, "action": 1}, {**forged, "action": 0}, {**forged, "action": 9}, {**forged, "action": "1"},
             {**forged, "action": 1, "phase": "vars"}]  # fmt: skip
    results = [{"remedy": "CVE-1", "mitigation": "m", "entry": "E", "pending_tasks": tasks}]
    assert flow.task_files(remedies, results) == [
        {
            "remedy": "CVE-1",
            "entry": "E",
            "action": 1,
            "phase": "apply",
            "file": "/r/apply.yml",
            "check": None,
            "vars": {"a": 1},
        }
    ]


ROLE = Path(flow.__file__).parents[2] / "roles/remediate/tasks"
VERBS = [path for path in sorted(ROLE.glob("*.yml")) if path.stem != "main"]


@pytest.mark.parametrize("path", VERBS, ids=lambda p: p.stem)
def test_every_verb_is_a_list_of_steps_and_has_its_goal(path):
    steps = [task.get("ansible.builtin.import_tasks") for task in yaml.safe_load(path.read_text())]
    assert path.stem == "sync" or (path.stem in flow.GOALS and steps[-1] == "steps/report.yml")
    assert path.stem == "sync" or all((ROLE / step).is_file() for step in steps)


def test_a_host_is_heard_of_what_is_due_on_it_and_is_silent_of_nothing_else():
    """P9: which remedies are meant is registered before any host is asked; a fact of that name is not heard."""
    chosen = {"remedies": [{"id": "CVE-1"}, {"id": "CVE-2"}], "due": {"web1": ["CVE-2"], "web2": []}}
    answer = {"assessments": [{"remedy": one, "state": "exposed"} for one in ("CVE-1", "CVE-2")]}
    variables = {"__remediate_chosen": chosen, "__remediate_assessed": answer, "stopgap_due": {"web1": []}}

    def heard(host, **changed):
        return [one["remedy"] for one in said(variables | changed, "recheck", host)["assess"]]

    assert heard("web1") == ["CVE-2"]
    assert heard("web2") == heard("web3") == []
    assert heard("web1", __remediate_chosen={**chosen, "due": {}}) == ["CVE-1", "CVE-2"]


@pytest.mark.parametrize("told", ["web1", ["CVE-1"], {"web1": "CVE-1"}])
def test_what_is_due_has_its_shape(told):
    assert due_of({}) == due_of({"stopgap_due": None}) == {}
    assert due_of({"stopgap_due": {"web1": ["CVE-1"]}}) == {"web1": ["CVE-1"]}
    with pytest.raises(ValueError, match="a list of remedy ids by host"):
        due_of({"stopgap_due": told})


@pytest.mark.parametrize("page", sorted(Path(filters.__file__).parent.glob("*.yml")), ids=lambda page: page.stem)
def test_the_example_of_a_filter_calls_it_as_it_is(page):
    found = Environment(autoescape=True).parse(yaml.safe_load(page.read_text())["EXAMPLES"]).find_all(nodes.Filter)
    call = next(one for one in found if one.name == f"stopgap.remediation.{page.stem}")
    inspect.signature(filters.FilterModule().filters()[page.stem]).bind("the hosts or remedies", *call.args)
