"""The contract, step by step. A step returns why it failed, or "" where all is as it should be."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from stopgap.contract import snapshot
from stopgap.contract.errors import ContractError
from stopgap.contract.needs import Watched, attested, handled_units, has_own_way_back
from stopgap.contract.outcome import Step
from stopgap.contract.verbs import Answer, Verbs
from stopgap.lab import Lab, LabError
from stopgap.verify.verdict import Verdict

REASON = "contract: the way back is tried"
VOUCHED = "contract: stands in for the person who would know"
UNATTESTED = "unproven while nobody has attested what only a person knows"
SETTLE_SECONDS = 15
Told = Callable[[Step], None]
Prove = Callable[[str, str], Verdict]  # what the checks of a phase say, by the phase and the mitigation's id or ""


@dataclass
class Contract:
    """One remedy on one vulnerable host. Each step is told as soon as it is known."""

    remedy: dict[str, Any]
    lab: Lab
    host: str
    verbs: Verbs
    prove: Prove
    watched: Watched
    publish: Callable[[], None]
    before_fix: Callable[[], None]
    tell: Told
    steps: list[Step] = field(default_factory=list)
    stuck: str = ""  # a mitigation that cannot be lifted: what is tried beside it says nothing

    def run(self, mitigations: list[dict[str, Any]], not_here: dict[str, str], fix_not_here: str) -> list[Step]:
        """`not_here`: why a mitigation cannot be tried in the lab, by its id."""
        if self._do("assess: exposed", self._assess_exposed):
            self._learn_noise()
            usable = [item["id"] for item in mitigations if self._try_mitigation(item, not_here)]
            self._fix(usable, fix_not_here)
        else:
            self._skip_all(mitigations, "the host is not exposed")
        return self.steps

    def _learn_noise(self) -> None:
        """What a mere restart of the same services changes is no trace of a mitigation: snmpd rewrites its state."""
        units = handled_units(self.remedy)
        if not units:
            return
        before = self._snapshot()
        self.lab.exec(self.host, ["systemctl", "try-restart", *units], check=False)
        found = snapshot.noise(before, self._snapshot())
        self.watched = replace(self.watched, volatile=(*self.watched.volatile, *found))

    # one mitigation, and its way back

    def _try_mitigation(self, mitigation: dict[str, Any], not_here: dict[str, str]) -> bool:
        name = mitigation["id"]
        if why := not_here.get(name):
            self._skip(MITIGATION_STEPS, f"not run here: {why}", name)
            return False
        if self.stuck:
            self._skip(MITIGATION_STEPS, f"{self.stuck} is still in force", name)
            return False
        before = self._snapshot()
        plan = (
            (MITIGATION_STEPS[0], lambda: self._fails("mitigation", name)),
            (MITIGATION_STEPS[1], lambda: self._mitigate(name)),
            (MITIGATION_STEPS[2], lambda: self._again(name)),
            (MITIGATION_STEPS[3], self._lift),
            (MITIGATION_STEPS[4], lambda: self._identical(before, times=not has_own_way_back(mitigation))),
        )
        done = self._do_all(plan, name)
        if not done:
            self.verbs("lift", "--force", "--reason", "contract: a step failed")
            self.stuck = name if self.verbs.owed() else ""
        return done

    def _assess_exposed(self) -> str:
        answer = self.verbs("assess")
        hint = (
            "" if answer.state == "exposed" else "; what the host lacks can be given in tests/ID.yml (prepare, files)"
        )
        return _expect(answer, "exposed") + hint

    def _fails(self, phase: str, name: str) -> str:
        """A proof that there is before there is anything to prove would still be there once it is gone."""
        told = self.prove(phase, name)
        if told.word == "fail":
            return ""
        said = "all checks pass" if told.word == "pass" else f"no check answers fail ({told.reason})"
        way_out = "add one that answers fail until then, or what they look for in tests/ID.yml (files, prepare)"
        return f"{said} before it is there: they would not notice its loss; {way_out}"

    def _mitigate(self, name: str) -> str:
        return _expect(self.verbs("mitigate", "--mitigation", name), "mitigated", code=0)

    def _again(self, name: str) -> str:
        before = self._snapshot(exact=True)
        why = self._mitigate(name)
        found = snapshot.differences(before, self._snapshot(exact=True))
        return why or (f"the second time changed something: {snapshot.in_words(found)}" if found else "")

    def _lift(self) -> str:
        answer = self.verbs("lift", "--force", "--reason", REASON)
        return _expect(answer, "exposed", code=0)

    def _identical(self, before: snapshot.Snapshot, times: bool) -> str:
        found = self._settled(before, times)
        return f"after lifting, the host is not as it was: {snapshot.in_words(found)}" if found else ""

    def _settled(self, before: snapshot.Snapshot, times: bool) -> list[str]:
        """A service that was just started may take a moment to be what it was; anything else is told at once."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = snapshot.differences(before, self._snapshot(), times=times)
            if not all(one.startswith("unit ") for one in found) or not found or time.monotonic() > deadline:
                return found

    # the fix

    def _fix(self, usable: list[str], fix_not_here: str) -> None:
        name = usable[0] if usable else ""
        if name and not self._do("mitigate before the fix: mitigated", lambda: self._mitigate(name), name):
            self._skip(FIX_STEPS, "the mitigation is not in force", name)
            return
        steps = fix_steps(bool(name))
        if not self.remedy["fix"]["packages"]:
            self._skip(steps, f"not run here: {fix_not_here}", name)
            return
        answers: list[Answer] = []
        if not self._do(UNPROVEN, lambda: self._fails("fix", name), name):
            self._skip(steps[1:], "an earlier step failed", name)
        elif not self._do(INSTALLED, lambda: self._install(answers), name):
            self._skip(steps[2:], "the fix is not installed", name)
        elif fix_not_here:
            self._skip(steps[2:], f"not run here: {fix_not_here}", name)
        elif self._attest(answers, name):
            acts = {
                PROVEN: lambda: self._proven(answers[-1], name),
                LIFTED: self._lifted,
                CLOSED: self._closed,
            }
            self._do_all([(step, acts[step]) for step in steps[2:]], name)
        else:
            self._skip(steps[2:], "more is unproven than what a person has to attest", name)

    def _install(self, answers: list[Answer]) -> str:
        self.publish()
        self.before_fix()
        answer = self.verbs("fix")
        answers.append(answer)
        if answer.state in ("fixed", "patched"):
            return ""
        after = self.verbs("assess")  # `fix` says unknown where a proof is, though the fix may well be on disk
        return "" if after.state == "patched" else str(answer)

    def _proven(self, answer: Answer, name: str) -> str:
        """P2: the proof came before the lifting, not after it."""
        if why := _expect(answer, "fixed", code=0):
            owed = "; an operator's part can be given as before_fix in tests/ID.yml" if "still owed" in why else ""
            return why + owed
        told = self.verbs.history()
        proof = _last(told, ("verified fix", "pass"), before=_last(told, ("mitigation", "lifting"))) if name else 0
        return "" if proof is not None else f"nothing in the ledger proves the fix before the lifting: {told}"

    def _lifted(self) -> str:
        held = self.verbs.owed()
        return f"still in force according to the ledger: {', '.join(held)}" if held else ""

    def _closed(self) -> str:
        answer = self.verbs("assess")
        if answer.state not in ("patched", "not_affected"):
            return str(answer)
        state = self.verbs.ledger_state()
        return "" if state in ("fixed", "not_affected") else f"the ledger has the case as {state or 'none'}"

    def _attest(self, answers: list[Answer], name: str) -> bool:
        """Where a person's word is missing, all else is proven first and nothing lifted; then it is given."""
        owed = attested(self.remedy)
        if not owed:
            return True
        if not self._do(UNATTESTED, lambda: self._all_but(list(owed.values())), name):
            return False
        words = [word for one in owed for word in ("--attest", one)]
        answers.append(self.verbs("fix", *words, "--reason", VOUCHED))
        return True

    def _all_but(self, owed: list[str]) -> str:
        """A verdict names the first thing it lacks and counts the rest: there may be no more than what is owed."""
        answer = self.verbs("verify")
        rest = f"(and {len(owed) - 1} more could not be answered)" if len(owed) > 1 else ""
        named = owed[0] in answer.reason and rest in answer.reason
        return "" if named else f"the verdict does not name what is owed ({'; '.join(owed)}): {answer}"

    # how steps are run and told

    def _snapshot(self, *, exact: bool = False) -> snapshot.Snapshot:
        return snapshot.take(self.lab, self.host, self.watched, exact=exact)

    def _do_all(self, plan: Any, mitigation: str) -> bool:
        for n, (name, act) in enumerate(plan):
            if not self._do(name, act, mitigation):
                self._skip([later for later, _ in plan[n + 1 :]], "an earlier step failed", mitigation)
                return False
        return True

    def _do(self, name: str, act: Callable[[], str], mitigation: str = "") -> bool:
        started = time.monotonic()
        try:
            why = act()
        except (ContractError, LabError) as error:
            why = str(error)
        seconds = round(time.monotonic() - started, 1)
        self._add(Step(name, "failed" if why else "passed", why, mitigation, seconds))
        return not why

    def _skip(self, names: Any, why: str, mitigation: str = "") -> None:
        for name in names:
            self._add(Step(name, "not run", why, mitigation))

    def _skip_all(self, mitigations: list[dict[str, Any]], why: str) -> None:
        for mitigation in mitigations:
            self._skip(MITIGATION_STEPS, why, mitigation["id"])
        self._skip(fix_steps(bool(mitigations)), why)

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self.tell(step)


MITIGATION_STEPS = (
    "mitigation: unproven before it is there",
    "mitigate: proven in force",
    "mitigate again: changes nothing",
    "lift",
    "host as it was",
)
UNPROVEN, INSTALLED = "fix: unproven before it is there", "fix: installed"
PROVEN, LIFTED, CLOSED = "fix: proven before anything is lifted", "mitigation lifted", "assess: not exposed"
FIX_STEPS = (UNPROVEN, INSTALLED, PROVEN, LIFTED, CLOSED)


def fix_steps(mitigated: bool) -> tuple[str, ...]:
    """A remedy without a mitigation has none to lift."""
    return FIX_STEPS if mitigated else tuple(step for step in FIX_STEPS if step != LIFTED)


def all_steps(mitigations: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(step, mitigation) of a whole contract, for a remedy that cannot be tried at all."""
    yield "assess: exposed", ""
    yield from ((step, item["id"]) for item in mitigations for step in MITIGATION_STEPS)
    yield from ((step, "") for step in fix_steps(bool(mitigations)))


def _expect(answer: Answer, state: str, code: int | None = None) -> str:
    if answer.state != state:
        return f"expected {state}, found {answer}"
    return "" if code in (None, answer.code) else f"{state}, but exit code {answer.code}: {answer.reason}"


def _last(told: list[tuple[str, str]], wanted: tuple[str, str], before: int | None = None) -> int | None:
    found = [n for n, one in enumerate(told[: before if before is not None else len(told)]) if one == wanted]
    return found[-1] if found else None
