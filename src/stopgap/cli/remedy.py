"""`stopgap remedy`: what is known about a vulnerability, and whether what you wrote about one holds together."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stopgap.cli.remedy_new import new
from stopgap.cli.remedy_test import try_out
from stopgap.remedy import Remedy, RemedyError, catalogue, find, load, search_path
from stopgap.remedy.catalogue import resolved
from stopgap.remedy.errors import one_line
from stopgap.remedy.lint import lint as find_problems
from stopgap.remedy.lint import remedy_files

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Read, check, describe and try remedies.")
app.command("new")(new)
app.command("test")(try_out)

WIDTH = 14  # of the labels `show` sets beside their text
DEFAULTS = {"rc": [0], "timeout": 30, "vars": {}}  # said only where a remedy says something else
STYLES = ("bold", "cyan")

Folders = Annotated[list[Path] | None, typer.Option("--path", metavar="DIR", help="Look for remedies here first.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]


@app.command("list")
def list_(path: Folders = None, as_json: Json = False) -> None:
    """All remedies that can be reached, one a line. A broken one is named on stderr, and the exit code is 1."""
    found, broken = [], []
    for file in catalogue(_folders(path)):
        try:
            found.append((load(file), file))
        except RemedyError as error:
            broken.append(str(error))
    if as_json:
        _print_json([_summary(remedy, file) for remedy, file in found])
    else:
        _print_list([remedy for remedy, _ in found])
    for message in broken:
        typer.echo(message, err=True)
    raise typer.Exit(1 if broken else 0)


@app.command()
def show(
    remedy_id: Annotated[str, typer.Argument(metavar="ID", help="A remedy's id, or an alias of it.")],
    path: Folders = None,
    as_json: Json = False,
) -> None:
    """One remedy: where it is fixed, what can be done until then and at what price, and how that is checked."""
    try:
        file = find(remedy_id, _folders(path))
        shape = resolved(load(file), file)
    except RemedyError as error:
        _stop(error)
    if as_json:
        _print_json(shape)
        return
    console = Console(highlight=False, soft_wrap=True)
    for indent, label, text in _described(shape):
        console.print(
            Text("  " * indent)
            + Text(f"{label:<{WIDTH}}  " if indent else f"{label}  ", STYLES[indent])
            + one_line(text)
        )


@app.command()
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; the whole catalogue without.")] = None,
    path: Folders = None,
    as_json: Json = False,
) -> None:
    """Check remedies. Prints FILE:LINE: MESSAGE for each problem; exit code 1 where there is one."""
    try:
        files = remedy_files(paths or _folders(path))
    except RemedyError as error:
        _stop(error)
    from stopgap.contract.sidecar import sidecar_problems

    problems = sorted([*find_problems(files), *sidecar_problems(files)])
    if as_json:
        _print_json([{"file": str(p.file), "line": p.line, "message": p.message} for p in problems])
    else:
        for problem in problems:
            typer.echo(problem)
        typer.echo(f"{len(files)} files, {len(problems)} problems", err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a remedy, for your editor."""
    from stopgap.remedy.schema import as_text

    typer.echo(as_text(), nl=False)


def _folders(path: list[Path] | None) -> list[Path]:
    try:
        return search_path(path or [])
    except (RemedyError, FileNotFoundError) as error:
        _stop(error)


def _stop(error: Exception) -> NoReturn:
    typer.echo(f"stopgap: {error}", err=True)
    raise typer.Exit(1)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _summary(remedy: Remedy, file: Path) -> dict[str, Any]:
    return {
        "id": remedy.id,
        "revision": remedy.revision,
        "title": remedy.title,
        "aliases": remedy.aliases,
        "mitigations": [mitigation.id for mitigation in remedy.mitigations],
        "source": str(file),
    }


def _print_list(remedies: list[Remedy]) -> None:
    console = Console()
    rows = [(r.id, ", ".join(m.id for m in r.mitigations) or "-", one_line(r.title)) for r in remedies]
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table("remedy", "mitigations", "title", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


Line = tuple[int, str, str]


def _described(remedy: dict[str, Any]) -> Iterator[Line]:
    """A remedy as (indent, label, text) lines."""
    yield 0, remedy["id"], remedy["title"]
    yield 1, "source", remedy["source"]
    yield 1, "revision", f"{remedy['revision']}, published {remedy['published'] or 'on a day not known'}"
    if remedy["aliases"]:
        yield 1, "also known as", ", ".join(remedy["aliases"])
    if remedy["risk"]["cvss"]:
        yield 1, "risk", remedy["risk"]["cvss"]
    yield 0, "Fixed in", ""
    for package in remedy["affected"]["packages"]:
        for distro, fixed in package["fixed_in"].items():
            versions = fixed.replace("_", " ") if isinstance(fixed, str) else " or ".join(fixed)
            yield 1, distro, f"{package['name']} {versions}"
    for probe in remedy["affected"]["when"]:
        yield 1, "only where", _said(probe)
    for mitigation in remedy["mitigations"]:
        yield from _described_mitigation(mitigation)
    yield from _described_fix(remedy)
    for reference in remedy["references"]:
        yield 1, "see", reference


def _described_mitigation(mitigation: dict[str, Any]) -> Iterator[Line]:
    yield 0, f"Mitigation {mitigation['id']}", mitigation["title"]
    yield 1, "side effect", mitigation["side_effect"]
    yield 1, "disruption", f"{mitigation['disruption']}, reboot {mitigation['reboot'].replace('_', ' ')}"
    yield (
        1,
        "lasts",
        f"{mitigation['persists'].replace('_', ' ')}, expires after {_duration(mitigation['ttl_seconds'])}",
    )
    if mitigation["status"] != "valid":
        yield 1, mitigation["status"], mitigation["why"] or f"leaves: {mitigation['leaves']}"
    for label, key in (("does", "actions"), ("then", "then"), ("check", "checks")):
        for item in mitigation[key]:
            yield 1, label, _said(item)


def _described_fix(remedy: dict[str, Any]) -> Iterator[Line]:
    fix = remedy["fix"]
    yield 0, "Fix", ", ".join(fix["packages"]) or "no package"
    for step in fix["then"]:
        yield 1, "then", _said(step)
    yield 1, "reboot", fix["reboot"].replace("_", " ")
    for obligation in fix["obligations"]:
        yield 1, "also", f"{obligation['title']} ({obligation['id']})"
        for check in obligation["checks"]:
            yield 1, "check", _said(check)
    for check in remedy["checks"]:
        yield 1, "check", _said(check)


def _duration(seconds: int) -> str:
    return f"{seconds // 86400} days" if seconds % 86400 == 0 else f"{seconds // 3600} hours"


def _said(item: dict[str, Any]) -> str:
    """A typed item in one line, without what was left at its default."""
    return f"{item['type']}: {_short(item['params'])}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if inner is not None and DEFAULTS.get(key) != inner}
        return ", ".join(f"{key} {_short(inner)}" for key, inner in kept.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return " ".join(str(value).split())
