"""`stopgap`: every command by name, loaded only when it is asked for."""

import errno
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, cast

import typer
from typer.core import TyperCommand

import stopgap
from stopgap.cli.lazy import LazyCommand, LazyGroup

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
VERBS = ("assess", "mitigate", "fix", "remediate", "verify", "lift", "recheck", "sync")
# command -> module that holds it under that attribute; a Typer app for a group, a function for a single command
COMMANDS = {
    **{verb: ("stopgap.cli.verbs", verb) for verb in VERBS},
    "status": ("stopgap.cli.status", "status"),
    "debt": ("stopgap.cli.debt", "debt"),
    "accept": ("stopgap.cli.accept", "accept"),
    "measures": ("stopgap.cli.measures", "measures"),
    "remedy": ("stopgap.cli.remedy", "app"),
    "risk": ("stopgap.cli.risk", "app"),
    "ledger": ("stopgap.cli.ledger", "app"),
    "lab": ("stopgap.cli.lab", "app"),
    "demo": ("stopgap.cli.demo", "demo"),
}


class Commands(LazyGroup):
    """Imports a command's module when the command is looked up, so that `stopgap status` stays quick."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False)
            found.command(name=cmd_name, cls=LazyCommand)(function)
        command = cast(TyperCommand, typer.main.get_command(found))
        command.name = cmd_name
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    """Close a vulnerability on a fleet and keep the books honest while you do it."""
    if version:
        typer.echo(f"stopgap {stopgap.__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point. Usage errors end with exit code 1, as every error that is ours does."""
    with _open_streams():
        try:
            code = _run()
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in UNWRITABLE or error.filename is not None:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what still waits to be written must not fail once more
            typer.secho(f"stopgap: cannot write what was to be told: {error.strerror}", err=True)
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _open_streams() -> Iterator[None]:
    """Also where whoever started us closed them, and for a terminal that lacks our letters."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    kept = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        try:
            yield
        finally:
            sys.stdout, sys.stderr = kept


def _run() -> object:
    try:
        return typer.main.get_command(app).main(standalone_mode=False)
    except typer.Abort:
        return 1
    except typer.TyperException as error:
        # What the parser found wrong names the option only in its long form; our own sentences stand as they are.
        told = error.format_message() if getattr(error, "param", None) else str(error)
        typer.secho(f"stopgap: {told}", err=True)
        return 1


if __name__ == "__main__":
    main()
