"""`stopgap debt`: what is still owed."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli.ledger_options import (
    AsJson,
    Estate,
    Host,
    Remedy,
    end_gate,
    ledger_errors,
    nothing,
    print_json,
    tell_undelivered,
)

if TYPE_CHECKING:
    from stopgap.ledger.debts import Owed

MOST = 200  # rows, unless told otherwise


class FailOn(StrEnum):
    overdue = "overdue"
    any = "any"


def debt(
    host: Host = "",
    remedy: Remedy = "",
    estate: Estate = "",
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many, the oldest first; 0 shows all.")] = MOST,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 4 when a mitigation is overdue, or when any is in force.")
    ] = None,
) -> None:
    """Show what is still owed: every mitigation in force, the oldest first, and what its fix waits for."""
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts
    from stopgap.ledger.readers import owing_cases
    from stopgap.ledger.reading import Filter

    with ledger_errors():
        cases = owing_cases(Filter(estate=estate, host=host, remedy=remedy))
    tell_undelivered()
    books = debts.owed(cases or [], debts.utc_now())
    if as_json:
        rows = {
            "debt": [debts.to_dict(row) for row in books.debt],
            "orphans": [debts.to_dict(row) for row in books.orphans],
        }
        print_json({**rows, "summary": asdict(debts.counts(books))})
    elif cases is None:
        print(nothing(bool(host or remedy or estate)))
    else:
        show(view.DEBT_COLUMNS, books.debt, limit)
        show(view.ORPHAN_COLUMNS, books.orphans, limit, "orphans: in force after their fix")
        print(debts.owed_line(debts.counts(books)))
    breached = [row for row in (*books.debt, *books.orphans) if fail_on is FailOn.any or row.overdue]
    if fail_on:
        for line in view.breach_lines(breached):
            print(f"stopgap: {line}", file=sys.stderr)
        end_gate(bool(breached))


def show(columns: Sequence[str], rows: Sequence["Owed"], limit: int, title: str = "") -> None:
    from stopgap.cli import ledger_view as view

    shown = rows[:limit] if limit else rows
    if shown:
        view.show(columns, view.debt_rows(shown), title)
    if len(shown) < len(rows):
        more = f"and {len(rows) - len(shown)} more"
        print(f"{more}: --limit 0 shows all, --json has all; --host, --remedy, --estate narrow it")
