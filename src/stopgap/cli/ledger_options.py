"""What the commands that read the ledger share: their options, their errors, the cases they ask for."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from stopgap.ledger.errors import LedgerError

# SQLAlchemy is imported where a command needs it: `stopgap --help` stays quick.

BREACHED = 4  # exit code: a debt or a due date was breached

Host = Annotated[str, typer.Option(help="Only this host.")]
Remedy = Annotated[str, typer.Option(help="Only this remedy.")]
Estate = Annotated[str, typer.Option(help="Only this estate.")]
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

    undelivered = waiting(spool_dir())
    if undelivered:
        print(
            f"stopgap: {undelivered} spool files are not in the ledger yet, of running plays or of broken deliveries; "
            "`stopgap ledger ingest` delivers them",
            file=sys.stderr,
        )


def nothing(filtered: bool) -> str:
    if filtered:
        return "No case matches; `stopgap status` shows all."
    return f"The ledger is empty: `stopgap assess REMEDY -i INVENTORY` writes the first cases. It is {_where()}"


def _where() -> str:
    """So that whoever looks into another ledger than meant (cron, sudo, a mistyped variable) sees it."""
    from stopgap.ledger.store import ledger_url
    from stopgap.ledger.trouble import shown

    return shown(ledger_url())


def print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))
