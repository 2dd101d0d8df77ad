"""The contract against a made-up host: what fails, what is skipped, and that nothing passes that was not run."""

from dataclasses import replace

import pytest

from stopgap.contract import snapshot
from stopgap.contract.needs import Watched
from stopgap.contract.outcome import sum_up
from stopgap.contract.steps import FIX_STEPS, MITIGATION_STEPS, UNATTESTED, Contract, fix_steps
from stopgap.contract.verbs import Answer
from stopgap.verify.verdict import failed, passed, unknown

PROOF = [("mitigation", "applied"), ("verified fix", "pass"), ("mitigation", "lifting"), ("mitigation", "lifted")]
STATES = {"assess": "exposed", "mitigate": "mitigated", "lift": "exposed", "fix": "fixed", "verify": "patched"}


class Verbs:
    """Answers as a sound host does; `states` says where it differs."""

    def __init__(self, history=PROOF, owed=(), **states):
        self.states, self.told, self.held, self.asked = STATES | states, history, list(owed), []

    def __call__(self, verb, *words):
        state = "patched" if verb == "assess" and "fix" in self.asked else self.states[verb]
        self.asked.append(verb)
        return Answer(0, state, f"{verb} said so: Keys are rotated")

    def ledger_state(self):
        return "fixed"

    def owed(self):
        return self.held

    def history(self):
        return self.told


@pytest.fixture
def contract(monkeypatch):
    taken = []
    monkeypatch.setattr(snapshot, "take", lambda *a, **k: taken.pop(0) if taken else {})

    def make(verbs, snapshots=(), packages=("acme",), obligations=(), prove=lambda phase, mitigation: failed("")):
        taken.extend(snapshots)
        remedy = {
            "fix": {"packages": list(packages), "obligations": list(obligations)},
            "checks": [],
            "mitigations": [],
        }
        return Contract(remedy, None, "h", verbs, prove, Watched(), lambda: None, lambda: None, lambda step: None)

    return make


def results(steps):
    return {(step.name, step.mitigation): step.result for step in steps}


ONE = [{"id": "one"}]


def test_a_sound_remedy_passes_every_step(contract):
    steps = contract(Verbs()).run(ONE, {}, "")
    assert sum_up(steps) == "passed"
    assert {step.name for step in steps} >= {*MITIGATION_STEPS, *FIX_STEPS}


def test_a_trace_that_lifting_leaves_fails_and_is_named(contract):
    before, after = {"file": {}}, {"file": {"/etc/left": {}}}
    steps = contract(Verbs(), [before, {}, {}, after]).run(ONE, {}, "")
    (failed,) = [step for step in steps if step.result == "failed"]
    assert (failed.name, "file /etc/left is new" in failed.reason) == ("host as it was", True)


def test_a_second_time_that_changes_something_fails(contract):
    steps = contract(Verbs(), [{}, {"file": {}}, {"file": {"/etc/x": {}}}]).run(ONE, {}, "")
    assert results(steps)["mitigate again: changes nothing", "one"] == "failed"
    assert results(steps)["host as it was", "one"] == "not run"


def test_a_mitigation_that_failed_is_lifted_and_the_fix_is_tried_without_it(contract):
    verbs = Verbs(mitigate="exposed")
    steps = contract(verbs).run(ONE, {}, "")
    assert verbs.asked == ["assess", "mitigate", "lift", "fix", "assess"]
    assert results(steps)["assess: not exposed", ""] == "passed"
    assert ("mitigation lifted", "") not in results(steps)


def test_beside_a_mitigation_that_cannot_be_lifted_no_other_is_tried(contract):
    steps = contract(Verbs(lift="mitigated", owed=["CVE-1"])).run([*ONE, {"id": "two"}], {}, "")
    (first, *_) = [step for step in steps if step.mitigation == "two"]
    assert (first.result, first.reason) == ("not run", "one is still in force")
    steps = contract(Verbs(mitigate="exposed")).run([*ONE, {"id": "two"}], {}, "")
    assert results(steps)["mitigate: proven in force", "two"] == "failed"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (passed("1 check passed"), "all checks pass before it is there: they would not notice its loss"),
        (unknown("command:acme: not found"), "no check answers fail (command:acme: not found) before it is there"),
    ],
)
@pytest.mark.parametrize(
    ("phase", "step", "rest"),
    [("mitigation", MITIGATION_STEPS[0], MITIGATION_STEPS[1:]), ("fix", FIX_STEPS[0], FIX_STEPS[1:])],
)
def test_checks_that_cannot_say_no_fail_where_there_is_nothing_to_prove(contract, phase, step, rest, told, why):
    asked = []

    def prove(of, name):
        asked.append((of, name))
        return told if of == phase else failed("")

    steps = contract(Verbs(), prove=prove).run(ONE, {}, "")
    found = {one.name: one for one in steps if one.name in (step, *rest)}
    assert found[step].result == "failed"
    assert why in found[step].reason
    assert {found[one].result for one in rest if one in found} == {"not run"}
    assert asked == [("mitigation", "one"), ("fix", "one" if phase == "fix" else "")]


def test_lifting_before_the_proof_fails(contract):
    history = [("mitigation", "lifting"), ("mitigation", "lifted"), ("verified fix", "pass")]
    steps = contract(Verbs(history)).run(ONE, {}, "")
    assert results(steps)["fix: proven before anything is lifted", "one"] == "failed"


def test_what_cannot_run_here_is_not_passed(contract):
    steps = contract(Verbs()).run(ONE, {"one": "the machine's own"}, "a kernel")
    assert {step.result for step in steps if step.mitigation == "one"} == {"not run"}
    assert results(steps)["fix: installed", ""] == "passed"
    assert results(steps)["assess: not exposed", ""] == "not run"
    assert sum_up(steps) == "not run"


def test_a_host_that_is_not_exposed_proves_nothing(contract):
    steps = contract(Verbs(assess="not_affected")).run(ONE, {}, "")
    assert results(steps)["assess: exposed", ""] == "failed"
    assert {step.result for step in steps[1:]} == {"not run"}


OWED = [{"id": "keys", "title": "Keys are rotated", "attest": True, "checks": []}]


def test_without_a_persons_word_the_fix_is_unproven_and_with_it_all_goes_on(contract):
    steps = contract(Verbs(), obligations=OWED).run(ONE, {}, "")
    assert results(steps)[UNATTESTED, "one"] == "passed"
    assert sum_up(steps) == "passed"


def test_more_unproven_than_a_person_could_attest_fails(contract):
    class Silent(Verbs):
        def __call__(self, verb, *words):
            return replace(super().__call__(verb, *words), reason="a process runs old code")

    steps = contract(Silent(fix="patched"), obligations=OWED).run(ONE, {}, "")
    assert results(steps)[UNATTESTED, "one"] == "failed"
    assert {step.result for step in steps if step.name in fix_steps(True)[2:]} == {"not run"}


def test_no_step_at_all_is_not_passed():
    assert sum_up([]) == "not run"
