"""`stopgap remedy test`: a remedy through its contract on a lab host, step by step."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from stopgap.cli.ending import cleaned_up
from stopgap.cli.progress import open_console, safe
from stopgap.contract.errors import ContractError
from stopgap.contract.outcome import Report, Step, sum_up
from stopgap.engine.model import ExitCode
from stopgap.remedy import RemedyError, catalogue, find, search_path

EXIT = {"passed": ExitCode.PROVEN, "failed": ExitCode.FAILED, "not run": ExitCode.UNKNOWN}
COLOURS = {"passed": "green", "failed": "red", "not run": "yellow"}
Folders = Annotated[list[Path] | None, typer.Option("--path", metavar="DIR", help="Look for remedies here first.")]


def try_out(
    remedies: Annotated[list[str], typer.Argument(metavar="ID|FILE…", help="Ids, aliases, files; 'all' for all.")],
    suite: Annotated[str, typer.Option(help="Only on this release: debian-11, debian-12 or debian-13.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the host there, to look inside.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the results here, and make FOLDER.md of them.")
    ] = None,
    path: Folders = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Try a remedy on a lab host: exposed, mitigated, lifted without a trace, mitigated, fixed, proven, lifted.

    Exit code 0: every step passed. 2: a step failed. 3: something cannot run in the lab. 1: nothing could be tried.
    """
    try:
        files = [file for wanted in remedies for file in _files(wanted, path or [])]
    except (RemedyError, FileNotFoundError) as error:
        raise typer.TyperException(str(error)) from error
    shown = Shown(quiet=as_json)
    reports = [one for file in dict.fromkeys(files) if (one := _try(file, suite, keep, shown))]
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in reports], indent=2))
    if report:
        _keep(report, reports, path or [])
    raise typer.Exit(_exit_code(reports, len(set(files))))


def _files(wanted: str, path: Sequence[Path]) -> list[Path]:
    if wanted.endswith((".yml", ".yaml")) or "/" in wanted:
        file = Path(wanted)  # a link goes by its own name and place, as in the catalogue
        return [file.parent.resolve() / file.name]
    folders = search_path(path)
    return list(catalogue(folders)) if wanted == "all" else [find(wanted, folders)]


def _try(file: Path, suite: str, keep: bool, shown: "Shown") -> Report | None:
    from stopgap.contract.trial import try_remedy
    from stopgap.lab import LabError

    with shown.remedy(file.stem), cleaned_up():
        try:
            report = try_remedy(file, suite=suite, keep=keep, tell=shown.step, say=shown.say)
        except (ContractError, LabError, RemedyError) as error:
            typer.echo(f"stopgap: {file.stem}: {error}", err=True)
            return None
    shown.result(report)
    return report


def _keep(folder: Path, reports: Sequence[Report], path: Sequence[Path]) -> None:
    """What came of hours of work is told by now, and is not lost for a file that cannot be read or written."""
    from stopgap.contract.table import save, write_table

    try:
        save(folder, reports)
        write_table(folder, list(catalogue(search_path(path))))
    except (RemedyError, OSError) as error:
        raise typer.TyperException(f"not all of {folder} and its table was written: {error}") from error


def _exit_code(reports: Sequence[Report], asked: int) -> ExitCode:
    if len(reports) < asked:
        return ExitCode.ERROR
    return EXIT[sum_up([step for report in reports for step in report.steps])]


class Shown:
    """Each step leaves a line; on a terminal a live line says what is under way."""

    def __init__(self, *, quiet: bool) -> None:
        self.console: Console = open_console(quiet=quiet)
        self.live: Status | None = None
        self.name = ""

    def remedy(self, name: str) -> "Shown":
        self.name = name
        return self

    def __enter__(self) -> None:
        self.console.print(f"[bold]{safe(self.name)}[/]")
        if self.console.is_terminal:
            self.live = self.console.status(f"{self.name} …")
            self.live.start()

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def say(self, text: str) -> None:
        self.console.print(f"  [dim]{safe(text)}[/]")

    def step(self, step: Step) -> None:
        about = f" ({step.mitigation})" if step.mitigation else ""
        taken = f" [dim]{step.seconds:.0f} s[/]" if step.seconds >= 1 else ""
        why = f": {safe(step.reason, 2000)}" if step.reason else ""
        self.console.print(
            f"  [{COLOURS[step.result]}]{step.result:<8}[/] {safe(step.name)}{safe(about)}{why}{taken}", soft_wrap=True
        )

    def result(self, report: Report) -> None:
        counts = {word: sum(step.result == word for step in report.steps) for word in COLOURS}
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        self.console.print(f"  {safe(report.remedy)}: {told} ({safe(report.ground)})")
        if report.left:
            self.console.print(f"  {safe(report.left)}")
        sys.stdout.flush()
