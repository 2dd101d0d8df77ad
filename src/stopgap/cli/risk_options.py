"""What the commands that know due dates share: their options, their errors, their doubts."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stopgap.cli.ledger_options import ledger_errors
from stopgap.risk.errors import RiskError

Policy = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The site's policy; STOPGAP_POLICY names one for every command.")
]


class FailOn(StrEnum):
    overdue = "overdue"
    exposed = "exposed"


@contextmanager
def risk_errors() -> Iterator[None]:
    """One sentence and exit code 1."""
    with ledger_errors():
        try:
            yield
        except RiskError as error:
            print(f"stopgap: {error}", file=sys.stderr)
            raise typer.Exit(1) from error


def tell_doubts(doubts: Iterable[str]) -> None:
    for sentence in doubts:
        print(f"stopgap: {sentence}", file=sys.stderr)
