"""What a run looks like on a terminal, and as plain lines where there is none."""

from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from stopgap.engine.model import Changed, Event, HostAnswered, RunRequest, RunResult, Said, StepStarted, reason_of
from stopgap.ledger.events import clean

COLOURS = {"fixed": "green", "mitigated": "yellow", "not_affected": "dim", "patched": "yellow", "exposed": "red"}
MOST_ROWS = 60
LOG_WIDTH = 2000
MOST_LINES = 20
MOST_DIFF = 400
HIDDEN = {"include_tasks", "validate_argument_spec", "outcome"}  # the play's plumbing, and what the table tells


def safe(text: object, most: int = 400) -> str:
    """Text from a host, harmless on a terminal and bounded in length."""
    return escape(clean(str(text)[: 2 * most].replace("\r\n", "\n"), most))


def open_console(*, quiet: bool = False, aside: bool = False) -> Console:
    """A terminal's own width; elsewhere lines are never broken, so that logs can be searched. *aside* is stderr."""
    console = Console(quiet=quiet, stderr=aside, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


class Progress:
    """Listens to a run. On a terminal one live line says what is under way; each finished step leaves a line.

    *quiet* leaves stdout to the outcome: what Ansible warns of is told on stderr, and nothing else.
    """

    def __init__(self, request: RunRequest, *, quiet: bool = False) -> None:
        self.request, self.quiet = request, quiet
        self.console = open_console(quiet=quiet)
        self.aside = open_console(aside=True) if quiet else self.console
        self.step = ""
        self.answers: Counter[str] = Counter()
        self.live: Status | None = None

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self.live = self.console.status(f"{self.request.verb} …")
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish_step()
        if self.live:
            self.live.stop()

    def take(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            if event.name != self.step:
                self._finish_step()
                self.step = event.name
        elif isinstance(event, HostAnswered):
            self._answered(event)
        elif isinstance(event, Changed):
            self.console.print(f"  {safe(event.host)} {'would change' if self.request.check else 'changes'}:")
            for line in event.text.splitlines()[:MOST_DIFF]:
                self.console.print("    " + safe(line), soft_wrap=True)
        elif isinstance(event, Said) and ("WARNING" in event.text or (self.request.verbosity and not self.quiet)):
            self.aside.print(safe(event.text, 2000), soft_wrap=True)

    def _answered(self, event: HostAnswered) -> None:
        if event.action.rpartition(".")[2] in HIDDEN:
            return
        self.answers[self._counted(event)] += 1
        if event.status in ("unreachable", "failed") and not event.action.endswith((".outcome", ".remedies")):
            # indented, so that no line of a host's text can pass for one of ours
            why = reason_of(event).splitlines()[:MOST_LINES]
            self.console.print(f"  [red]{safe(event.host)}[/] {event.status}: " + "\n      ".join(map(safe, why)))
        for told in warnings_of(event):
            self.console.print(f"  [yellow]{safe(event.host)} WARNING[/]: {safe(told)}", soft_wrap=True)
        for told in predictions(event.result) if self.request.check else ():
            self.console.print(f"  {safe(event.host)} {told}")
        if self.request.verbosity:
            for line in event.text.splitlines()[:MOST_DIFF]:
                self.console.print("    " + safe(line, 2000), soft_wrap=True)
        if self.live:
            told = f"{safe(self.step)} … {sum(self.answers.values())} answered"
            self.live.update(Text.from_markup(told, emoji=False))

    def _counted(self, event: HostAnswered) -> str:
        if event.status == "ok" and event.result.get("changed") is True:
            return "would change" if self.request.check else "changed"
        return event.status

    def _finish_step(self) -> None:
        told = {status: n for status, n in self.answers.items() if status != "skipped"}
        if told:
            counts = ", ".join(f"{n} {status}" for status, n in told.items())
            self.console.print(f"  {safe(self.step)}: {counts}")
        self.answers.clear()


def warnings_of(event: HostAnswered) -> list[str]:
    """What the fix warns of beforehand. Ansible's own warnings (of interpreters it found) are for -v."""
    told = event.result.get("warnings") if event.action.endswith(".patch") else None
    return [str(one) for one in told[:MOST_LINES]] if isinstance(told, list) else []


def predictions(result: dict[str, Any]) -> Iterator[str]:
    """What a module says it would do, or not, one line a remedy; a host's answer may have any shape (P9)."""
    items = result.get("results")
    for item in items if isinstance(items, list) else []:
        state = str(item.get("state", "")) if isinstance(item, dict) else ""
        if state in ("failed", "refused"):
            yield f"{safe(item.get('remedy'))}: would not be done: {safe(item.get('reason') or '')}"
        elif state.startswith("would_"):
            would, what = (
                safe(item["state"]).replace("_", " "),
                safe(item.get("mitigation") or item.get("reason") or ""),
            )
            yield f"{safe(item.get('remedy'))}: {what if what.startswith('would ') else f'{would} {what}'}"


def show_result(request: RunRequest, result: RunResult) -> None:
    """The end of a run: every case that did not reach its goal, the others in full or, on a large fleet, as counts."""
    console = open_console()
    rows = [(host, case) for host, cases in sorted(result.cases.items()) for case in cases]
    shown = rows if len(rows) <= MOST_ROWS else [(host, case) for host, case in rows if not case.get("met")]
    if shown:
        console.print(_table([(host, case) for host, case in shown if case.get("state") != "not_affected"]))
    for hosts, why in _by_reason(result.failures):
        console.print(f"[red]failed[/] {hosts}: {why}")
    for hosts, why in _by_reason(result.unreachable):
        console.print(f"[red]unreachable[/] {hosts}: {why} (their cases are unknown; the others went on)")
    console.print(_summary(request, result, [case for _host, case in rows]))


def _by_reason(told: dict[str, str]) -> list[tuple[str, str]]:
    """(hosts, why): a fleet behind one broken jump host is one line."""
    hosts: dict[str, list[str]] = {}
    for host, why in sorted(told.items()):
        hosts.setdefault(safe(why), []).append(safe(host))
    return [(", ".join(names), why) for why, names in hosts.items()]


def _table(rows: list[tuple[str, dict[str, object]]]) -> Table | str:
    if not rows:
        return ""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in ("HOST", "REMEDY", "STATE", "WHY"):
        table.add_column(title, overflow="fold")
    for host, case in rows:
        state = str(case.get("state"))
        why = safe(case.get("reason", ""))
        if case.get("waiting_for"):
            why += f"; the fix waits for: {safe(case['waiting_for'])}"
        mark = f"[{COLOURS.get(state, 'magenta')}]{safe(state)}[/]"
        table.add_row(safe(host), safe(case.get("remedy", "")), mark, why)
    return table


def _summary(request: RunRequest, result: RunResult, cases: list[dict[str, object]]) -> str:
    if request.check:
        return "check mode: nothing was changed and nothing recorded"
    states = Counter(safe(case.get("state")) for case in cases)
    told = ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "no case"
    broken = set(result.failures) | set(result.unreachable)
    hosts = len(set(result.verdicts) | broken)
    missed = len({host for host, verdict in result.verdicts.items() if verdict != "proven"} | broken)
    if not hosts and request.verb != "sync":
        return "no host came to a verdict"
    reached = "all have answered" if request.verb == "assess" else "all as they should be"
    end = f"{missed} of them not there yet" if missed else reached
    if request.verb == "sync":
        return "journals read; 'stopgap status' and 'stopgap debt' show the ledger"
    return f"{hosts} host{'s' * (hosts != 1)}: {told}; {end}"
