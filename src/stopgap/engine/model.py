"""What is asked of a run and what it says: plain data, no Ansible in it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal


class ExitCode(IntEnum):
    """The exit codes of every verb; contracts.md §7 documents them."""

    PROVEN = 0
    ERROR = 1
    FAILED = 2
    UNKNOWN = 3
    BREACHED = 4


class EngineError(RuntimeError):
    """The run could not start or broke down; the text says what to do."""


@dataclass(frozen=True)
class RunRequest:
    """One verb over an inventory. *variables* are play variables; *passthrough* goes to ansible-playbook as it is.

    *run* is the id its events are to have; one is made where none is given.
    """

    verb: str
    inventory: tuple[str, ...] = ()
    limit: str = ""
    check: bool = False
    diff: bool = False
    forks: int | None = None
    verbosity: int = 0
    variables: dict[str, Any] = field(default_factory=dict)
    passthrough: tuple[str, ...] = ()
    passwords: dict[str, str] = field(default_factory=dict)
    run: str = ""


CLOSED = re.compile(r"Shared connection to .* closed\.")  # ssh's own word, with a terminal

ON_HOST = (".assess", ".mitigation", ".patch", ".rollback")  # the actions of a host's own, on the way to its verdict
STOPPED = "the play was ended here before it came to a verdict: run this again"

HostStatus = Literal["ok", "failed", "unreachable", "skipped"]


@dataclass(frozen=True)
class StepStarted:
    name: str


@dataclass(frozen=True)
class HostAnswered:
    """One host's answer to one task; *result* is what the module returned and is not to be trusted."""

    host: str
    step: str
    action: str
    status: HostStatus
    result: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Changed:
    """What one host changes in one task, as ``--diff`` shows it."""

    host: str
    text: str


@dataclass(frozen=True)
class Said:
    """A line Ansible printed outside any task: a warning or an error."""

    text: str


Event = StepStarted | HostAnswered | Changed | Said


@dataclass
class RunResult:
    """How a run ended, host by host."""

    cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    journals: set[str] = field(default_factory=set)  # hosts whose journal a sync has read
    begun: dict[str, str] = field(default_factory=dict)  # the last step of hosts that have no verdict yet
    no_hosts: bool = False
    refused: str = ""  # why no remedy could be chosen: a usage error, no host was asked
    errors: list[str] = field(default_factory=list)
    return_code: int = 0

    def settle(self) -> None:
        """A host that reached its verdict was rescued from its earlier failures. One that never did was stopped with
        others (any_errors_fatal, max_fail_percentage), whatever was done to it by then.
        """
        self.failures = {host: why for host, why in self.failures.items() if host not in self.verdicts}
        told = {*self.verdicts, *self.failures, *self.unreachable}
        if told:  # else something else ended the run, see `unexplained`
            self.failures |= {host: f"{step}: {STOPPED}" for host, step in self.begun.items() if host not in told}

    def unexplained(self) -> bool:
        """Ansible failed, and neither a host nor a step of ours said why: what it printed is all there is."""
        told = self.refused or self.no_hosts or self.failures or self.unreachable or self.verdicts
        return self.return_code != 0 and not told

    def exit_code(self) -> ExitCode:
        """Failed weighs more than unknown; an error that no host answers for is ours."""
        if (
            self.refused
            or self.no_hosts
            or (self.return_code not in (0, 2, 4) and not self.failures and not self.unreachable)
        ):
            return ExitCode.ERROR
        if self.failures or "failed" in self.verdicts.values():
            return ExitCode.FAILED
        if self.unreachable or "unknown" in self.verdicts.values():
            return ExitCode.UNKNOWN
        return ExitCode.PROVEN if self.return_code == 0 else ExitCode.ERROR


def collect(events: Iterable[Event], result: RunResult) -> RunResult:
    """Fold events into *result*; kept apart from the engine so that it is tested without one."""
    for event in events:
        if isinstance(event, HostAnswered):
            _take(event, result)
    return result


def _take(event: HostAnswered, result: RunResult) -> None:
    if event.status == "unreachable":
        result.unreachable[event.host] = first_line(reason_of(event))
    elif event.action.endswith(".outcome") and event.status == "skipped":  # a dry run judges nobody
        result.failures.pop(event.host, None)
        result.begun.pop(event.host, None)
    elif event.action.endswith(".outcome"):
        result.cases[event.host] = event.result.get("cases") or []
        result.verdicts[event.host] = str(event.result.get("verdict"))
    elif event.status == "ok" and event.action.endswith(ON_HOST):
        result.begun[event.host] = event.step
    elif event.status == "ok" and event.action.endswith(".journal_info"):
        result.journals.add(event.host)
    elif event.status == "failed" and event.action.endswith(".remedies"):
        result.refused = reason_of(event)
    elif event.status == "failed":
        result.failures[event.host] = f"{event.step}: {first_line(reason_of(event))}"


def reason_of(event: HostAnswered) -> str:
    """Ansible's message; where a module gave no answer, with what the host printed instead: that names the cause."""
    told, *more = str(event.result.get("msg") or event.text).strip().splitlines() or [""]
    said = _printed(event.result)
    return "\n".join([f"{told}; the host said: {said}" if said else told, *more])


def _printed(result: dict[str, Any]) -> str:
    """A shell says what is wrong first, Python last."""
    texts = [text for text in (result.get("module_stdout"), result.get("module_stderr")) if isinstance(text, str)]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    lines = [line for line in lines if line and not CLOSED.fullmatch(line)]
    return "" if not lines else lines[-1 if lines[0].startswith("Traceback") else 0]


def first_line(text: object) -> str:
    lines = str(text).strip().splitlines()
    return lines[0] if lines else "no reason given"
