"""What came of each step: passed, failed, or not run with the reason. Nothing counts as passed that was not run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Result = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Step:
    """One step of the contract; `mitigation` is "" where the step belongs to none."""

    name: str
    result: Result
    reason: str = ""
    mitigation: str = ""
    seconds: float = 0.0


@dataclass
class Report:
    """One remedy on one host. `ground` says what it was tried on: real packages, stand-ins, or nothing and why."""

    remedy: str
    revision: int
    title: str
    suite: str = ""
    ground: str = ""
    packages: list[dict[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    left: str = ""  # what is still there, and how to look at it

    @property
    def result(self) -> Result:
        return sum_up(self.steps)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "result": self.result}


def sum_up(steps: Sequence[Step]) -> Result:
    """Failed weighs more than not run, and no step at all is not run."""
    results = {step.result for step in steps}
    if "failed" in results:
        return "failed"
    return "not run" if "not run" in results or not steps else "passed"


def from_dict(told: dict[str, Any]) -> Report:
    known = {key: value for key, value in told.items() if key != "result"}
    return Report(**known | {"steps": [Step(**step) for step in told["steps"]]})
