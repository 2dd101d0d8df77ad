"""`stopgap debt`: what is still owed."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli.ledger_options import (
    MOST_ROWS,
    AsJson,
    Estate,
    Host,
    Remedy,
    end_gate,
    ledger_errors,
    nothing,
    tell_undelivered,
)

if TYPE_CHECKING:
    from stopgap.ledger.owed_books import Books

MOST = 200  # rows, unless told otherwise
BREACHES_TOLD = 50


class FailOn(StrEnum):
    overdue = "overdue"
    any = "any"


def debt(
    host: Host = "",
    remedy: Remedy = "",
    estate: Estate = "",
    as_json: AsJson = False,
    limit: Annotated[
        int, typer.Option(min=0, max=MOST_ROWS, help="Show at most so many, the oldest first; 0 shows all.")
    ] = MOST,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 4 when a mitigation is overdue, or when any is in force.")
    ] = None,
) -> None:
    """Show what is still owed: every mitigation in force, the oldest first, and what its fix waits for."""
    from stopgap.ledger.readers import owed_books
    from stopgap.ledger.reading import Filter

    with ledger_errors(), owed_books(Filter(estate=estate, host=host, remedy=remedy)) as (books, any_case):
        tell_undelivered()
        if as_json:
            show_json(books)
        elif not any_case:
            print(nothing(bool(host or remedy or estate)))
        else:
            show_all(books, limit)
        breached = tell_breaches(books, fail_on) if fail_on else False
    if fail_on:
        end_gate(breached, host=host, remedy=remedy, estate=estate)


def show_json(books: "Books") -> None:
    from stopgap.ledger import owed_books as those
    from stopgap.ledger.debts import to_dict
    from stopgap.ledger.json_stream import print_lists

    lists = {
        name: map(to_dict, books.rows(where)) for name, where in (("debt", those.DEBT), ("orphans", those.ORPHANS))
    }
    print_lists(lists, {"summary": asdict(books.counts)})


def show_all(books: "Books", limit: int) -> None:
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import owed_books as those
    from stopgap.ledger.debts import owed_line

    show(view.DEBT_COLUMNS, books, those.DEBT, limit)
    show(view.ORPHAN_COLUMNS, books, those.ORPHANS, limit, "orphans: in force after their fix")
    print(owed_line(books.counts))


def show(columns: Sequence[str], books: "Books", where: str, limit: int, title: str = "") -> None:
    """A limit's rows are held; of all rows none is, they are read anew for what they say and how wide they are."""
    from stopgap.cli import ledger_view as view

    rows = books.rows(where, limit)
    if rows:
        view.show(columns, view.DebtRows(list(rows) if limit else rows, rows.estates() > 1, books.now), title)
    more = len(books.rows(where)) - len(rows)
    if more:
        print(f"and {more} more: --limit 0 shows all, --json has all; --host, --remedy, --estate narrow it")


def tell_breaches(books: "Books", fail_on: FailOn) -> bool:
    """Whether there were any."""
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import owed_books as those

    where = those.ALL if fail_on is FailOn.any else those.OVERDUE
    for row in books.rows(where, BREACHES_TOLD):
        print(f"stopgap: {view.breach_line(row, books.now)}", file=sys.stderr)
    breached = len(books.rows(where))
    if breached > BREACHES_TOLD:
        print(f"stopgap: and {breached - BREACHES_TOLD} more", file=sys.stderr)
    return bool(breached)
