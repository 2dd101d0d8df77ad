"""`stopgap debt`: what is still owed."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from stopgap.cli.ledger_options import BREACHED, AsJson, Estate, Host, Remedy, nothing, print_json, read_cases


class FailOn(StrEnum):
    overdue = "overdue"
    any = "any"


def debt(
    host: Host = "",
    remedy: Remedy = "",
    estate: Estate = "",
    as_json: AsJson = False,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 4 when a mitigation is overdue, or when any is in force.")
    ] = None,
) -> None:
    """Show what is still owed: every mitigation in force, the oldest first, and what its fix waits for."""
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts

    cases = read_cases(host=host, remedy=remedy, estate=estate)
    books = debts.owed(cases, debts.utc_now())
    rows = {
        "debt": [debts.to_dict(row) for row in books.debt],
        "orphans": [debts.to_dict(row) for row in books.orphans],
    }
    if as_json:
        print_json({**rows, "summary": debts.summary(cases, books)})
    elif not cases:
        print(nothing(bool(host or remedy or estate)))
    else:
        if books.debt:
            view.show(view.DEBT_COLUMNS, view.debt_rows(books.debt))
        if books.orphans:
            view.show(view.ORPHAN_COLUMNS, view.debt_rows(books.orphans), "orphans: in force after their fix")
        print(debts.summary_line(cases, books))
    breached = [row for row in (*books.debt, *books.orphans) if fail_on is FailOn.any or row.overdue]
    if fail_on and breached:
        for line in view.breach_lines(breached):
            print(f"stopgap: {line}", file=sys.stderr)
        raise typer.Exit(BREACHED)
