"""What the commands that read the ledger share: their options, their errors, the cases they ask for."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from stopgap.ledger.errors import BadSpool, LedgerError

# SQLAlchemy is imported where a command needs it: `stopgap --help` stays quick.

UNKNOWN = 3  # exit codes
BREACHED = 4  # a debt or a due date
MOST_ROWS = 2**63 - 1  # that a database can be asked for


def name_given(value: str) -> str:
    """Of an option or argument that names a host, remedy or estate: no database can be asked for any other."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter(f"{value!a} is not UTF-8: nothing in a ledger has such a name") from None
    return value


Host = Annotated[str, typer.Option(help="Only this host.", callback=name_given)]
Remedy = Annotated[str, typer.Option(help="Only this remedy, by its id.", callback=name_given)]
Estate = Annotated[str, typer.Option(help="Only this estate.", callback=name_given)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@contextmanager
def ledger_errors() -> Iterator[None]:
    """One sentence and exit code 1."""
    try:
        yield
    except LedgerError as error:
        print(f"stopgap: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def tell_undelivered() -> None:
    from stopgap.ledger.paths import spool_dir
    from stopgap.ledger.spool import waiting

    try:
        undelivered = waiting(spool_dir())
    except BadSpool as error:
        print(f"stopgap: {error}: what plays left there is not in the ledger", file=sys.stderr)
        return
    if undelivered:
        print(
            f"stopgap: not in the ledger yet: {many(undelivered, 'spool file')}, of running plays or of broken "
            "deliveries; `stopgap ledger ingest` delivers what is left",
            file=sys.stderr,
        )


def end_gate(breached: bool, *, host: str, remedy: str, estate: str) -> None:
    """`--fail-on`: a ledger that is not there, or has not heard of all, cannot say that all is well; nor of what nobody
    ever asked about, a misspelt host among it.
    """
    if breached:
        raise typer.Exit(BREACHED)
    with ledger_errors():
        why = _why_unsure() or _why_unheard_of({"host": host, "remedy": remedy, "estate": estate})
    if why:
        print(f"stopgap: nothing breached that the ledger knows of, but {why}", file=sys.stderr)
        raise typer.Exit(UNKNOWN)


def _why_unsure() -> str:
    from stopgap.ledger.paths import spool_dir
    from stopgap.ledger.spool import left_behind
    from stopgap.ledger.store import exists

    if not exists():
        return f"there is no ledger: {where_it_is()}"
    try:
        behind = left_behind(spool_dir())
    except BadSpool as error:
        return f"it may not have heard of all: {error}"
    return f"it has not heard of all: {behind} undelivered in {spool_dir()}" if behind else ""


def _why_unheard_of(named: dict[str, str]) -> str:
    from stopgap.ledger.readers import any_case
    from stopgap.ledger.reading import Filter

    if any_case(Filter(**named)):
        return ""
    told = " and ".join(f"{name} {value}" for name, value in named.items() if value)
    return f"it has no case of {told}" if told else f"it has no case at all: {where_it_is()}"


def many(count: int, noun: str) -> str:
    """`1 host`, `2 hosts`"""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def nothing(filtered: bool) -> str:
    if filtered:
        return "No case matches; `stopgap status` shows all."
    return f"The ledger is empty: `stopgap assess REMEDY -i INVENTORY` writes the first cases. It is {where_it_is()}"


def where_it_is() -> str:
    """So that whoever looks into another ledger than meant (cron, sudo, a mistyped variable) sees it."""
    from stopgap.ledger.paths import ledger_file

    path = ledger_file()
    if path:
        return f"sqlite:///{path}"
    from stopgap.ledger.store import ledger_url
    from stopgap.ledger.trouble import shown

    return shown(ledger_url())


def print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))
