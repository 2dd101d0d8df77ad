"""Runs a playbook through ansible-runner. The one file that imports it."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import ansible_runner

from stopgap.collection import collection_root
from stopgap.engine.environment import environment
from stopgap.engine.memory import PrivateFolder, memory_folder
from stopgap.engine.model import (
    Changed,
    EngineError,
    Event,
    HostAnswered,
    HostStatus,
    RunRequest,
    RunResult,
    Said,
    StepStarted,
    collect,
)

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What ssh asks on runner's terminal, up to ansible-core 2.18, unseen: it goes on as it does without a terminal.
TO_SSH = {
    r"Are you sure you want to continue connecting \(yes/no.*\)\?\s*?$": "no",
    r"Enter (passphrase|PIN) for .*:\s*?$": "",
}
AGAIN = 2  # seconds until it is asked to end once more
AFTER_STOP = "What was applied is in the hosts' journals: 'stopgap sync' brings it into the ledger."
STATUS: dict[str, HostStatus] = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}


def run(request: RunRequest, listen: Callable[[Event], None]) -> RunResult:
    """Run the verb's playbook and tell *listen* what happens as it happens.

    Raises EngineError when the run breaks down before any host could answer.
    """
    try:
        return _run(request, listen)
    except OSError as error:  # the private folder's file system is full or read-only, the current folder is gone …
        where = f" ({error.filename})" if error.filename else ""
        needs = f"It needs some room in {memory_folder() or 'TMPDIR'} and a current folder."
        raise EngineError(f"the run broke down: {error.strerror or error}{where}. {needs} {AFTER_STOP}") from error
    except UnicodeEncodeError as error:  # runner writes down all it starts Ansible with, before it does
        around = error.object[max(0, error.start - 40) : error.end + 40]
        raise EngineError(
            f"ansible-runner takes nothing but UTF-8, and {around!a} is none. Look for it in the environment (`env`: "
            "OLDPWD, for instance), the options, and the path of the current folder."
        ) from error


def _run(request: RunRequest, listen: Callable[[Event], None]) -> RunResult:
    result = RunResult()

    def handle(raw: dict[str, Any]) -> bool:
        if raw.get("event") == "playbook_on_no_hosts_matched":
            result.no_hosts = True
        for event in translate(raw):
            collect([event], result)
            if isinstance(event, Said) and "ERROR" in event.text:
                result.errors.append(event.text)
            listen(event)
        return False  # runner need not keep the event on disk

    with PrivateFolder() as private, _stop_gently(private) as stopped:
        runner = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(Path.cwd()),
            playbook=str(playbook(request.verb)),
            cmdline=shlex.join(command_line(request)),
            extravars=as_said(request.variables),
            envvars=environment(os.environ) | ({"STOPGAP_RUN": request.run} if request.run else {}),
            passwords=request.passwords | TO_SSH,
            verbosity=request.verbosity or None,
            event_handler=handle,
            # runner has read them by then: whatever kills us, they are not left behind
            status_handler=lambda *_, **_more: Path(private, "env", "passwords").unlink(missing_ok=True),
            cancel_callback=lambda: False,  # without one runner takes Ctrl-C and SIGTERM for itself
            quiet=True,
            settings={"pexpect_timeout": 1, "suppress_ansible_output": True},
        )
        result.return_code = runner.rc
        if stopped:
            raise EngineError(f"stopped by {stopped[0].name}. {AFTER_STOP}")
        result.settle()
        if result.unexplained():
            raise EngineError(_why(runner, result))
    return result


def _why(runner: Any, result: RunResult) -> str:
    """From Ansible's first error on: which file it speaks of may stand in a line of its own, further down."""
    printed = runner.stdout.read().splitlines() if runner.stdout else []
    first = next((place for place, line in enumerate(printed) if line.strip() in result.errors), None)
    if first is None and result.errors:
        return "\n".join(result.errors)
    told = "\n".join(printed[first:]).partition("Traceback (most recent call last)")[0]
    return told.strip() or f"ansible-playbook ended with exit code {runner.rc} and said nothing"


def command_line(request: RunRequest) -> list[str]:
    """The arguments of ansible-playbook; values never pass a shell."""
    words = [word for source in request.inventory for word in ("-i", source)]
    words += ["-l", request.limit] if request.limit else []
    words += ["--check"] if request.check else []
    words += ["--diff"] if request.diff else []
    words += ["-f", str(request.forks)] if request.forks else []
    return words + list(request.passthrough)


def as_said(value: Any) -> Any:
    """A reason may come from a ticket: Ansible would take it for a template, and run what a lookup in it names."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, dict):
        return {key: as_said(inner) for key, inner in value.items()}
    return [as_said(inner) for inner in value] if isinstance(value, list) else value


def translate(raw: dict[str, Any]) -> Iterator[Event]:
    """Runner's event as ours; the ones nobody needs give nothing."""
    kind, data = raw.get("event", ""), raw.get("event_data") or {}
    if kind == "playbook_on_task_start":
        yield StepStarted(str(data.get("task", "")).removeprefix("stopgap.remediation.remediate : "))
    elif kind in STATUS and not (kind == "runner_on_failed" and data.get("ignore_errors")):
        yield HostAnswered(
            host=str(data.get("host", "")),
            step=str(data.get("task", "")).removeprefix("stopgap.remediation.remediate : "),
            action=str(data.get("resolved_action") or data.get("task_action") or ""),
            status=STATUS[kind],
            result=data.get("res") or {},
            text=str(raw.get("stdout") or ""),
        )
    elif kind == "runner_on_file_diff" and raw.get("stdout", "").strip():
        yield Changed(str(data.get("host", "")), str(raw["stdout"]).replace("\r\n", "\n").strip())
    elif kind in ("verbose", "warning", "error", "deprecated") and raw.get("stdout", "").strip():
        yield Said(str(raw["stdout"]).strip())


def playbook(verb: str) -> Path:
    """The verb's playbook: inside the collection in a wheel, in ``playbooks/`` in a checkout."""
    root = collection_root()
    inside = root / "playbooks" / f"{verb}.yml"
    return inside if inside.is_file() else root.parents[3] / "playbooks" / f"{verb}.yml"


@contextmanager
def _stop_gently(mark: str) -> Iterator[list[signal.Signals]]:
    """Ctrl-C, SIGTERM and a closed terminal end ansible-playbook and its workers; runner's own kill would leave the
    workers, which would go on with their hosts.

    What the caller ignores (nohup) stays ignored. *mark* is a text that all their command lines have, and nobody
    else's. Yields the list of signals that came.
    """
    came: list[signal.Signals] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            came.append(signal.Signals(number))
        _send(signal.SIGTERM, _marked(mark)[:1])  # ansible-playbook itself: told twice, a worker leaves its ssh behind
        signal.alarm(AGAIN)  # where Ansible waits for a lock, one signal may not be acted upon before the next comes

    heard = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    kept = {number: signal.signal(number, stop) for number in (*heard, signal.SIGALRM)}
    try:
        yield came
    finally:
        signal.alarm(0)
        for number, handler in kept.items():
            signal.signal(number, handler)
        if came:  # a worker that waits for a lock is not told by an ansible-playbook that does
            _send(signal.SIGKILL, _marked(mark))


def _marked(mark: str) -> list[int]:
    """The processes with that text in their command lines, the oldest first. By /proc: small controllers lack pkill."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if mark in (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                started = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
                found.append((int(started), int(folder.name)))
    return [pid for _started, pid in sorted(found)]


def _send(number: signal.Signals, processes: list[int]) -> None:
    for pid in processes:
        with suppress(OSError):  # it has ended
            os.kill(pid, number)
