"""`stopgap status`, `stopgap debt` and `stopgap ledger …`: reading the fleet's books."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from stopgap.ledger.errors import LedgerError

# SQLAlchemy is imported where a command needs it: `stopgap --help` stays quick.

DEBT_BREACHED = 4

app = typer.Typer(name="ledger", help="The fleet's books: deliver, rebuild, check.", no_args_is_help=True)

Host = Annotated[str, typer.Option(help="Only this host.")]
Remedy = Annotated[str, typer.Option(help="Only this remedy.")]
Estate = Annotated[str, typer.Option(help="Only this estate.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


class State(StrEnum):
    unknown = "unknown"
    not_affected = "not_affected"
    exposed = "exposed"
    mitigated = "mitigated"
    patched = "patched"
    fixed = "fixed"


class FailOn(StrEnum):
    overdue = "overdue"
    any = "any"


@contextmanager
def ledger_errors() -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        print(f"stopgap: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def status(
    host: Host = "",
    remedy: Remedy = "",
    state: Annotated[State | None, typer.Option(help="Only cases in this state.")] = None,
    estate: Estate = "",
    as_json: AsJson = False,
) -> None:
    """Show every case: one host and one vulnerability, its state and why."""
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts
    from stopgap.ledger.case import to_dict

    cases = _cases(host=host, remedy=remedy, estate=estate, state=state.value if state else "")
    books = debts.owed(cases, debts.utc_now())
    if as_json:
        _print({"cases": [to_dict(one) for one in cases], "summary": debts.summary(cases, books)})
    elif not cases:
        print(_nothing(bool(host or remedy or state or estate)))
    else:
        view.show(view.STATUS_COLUMNS, view.status_rows(cases))
        print(debts.summary_line(cases, books))


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

    cases = _cases(host=host, remedy=remedy, estate=estate)
    books = debts.owed(cases, debts.utc_now())
    rows = {
        "debt": [debts.to_dict(row) for row in books.debt],
        "orphans": [debts.to_dict(row) for row in books.orphans],
    }
    if as_json:
        _print({**rows, "summary": debts.summary(cases, books)})
    elif not cases:
        print(_nothing(bool(host or remedy or estate)))
    else:
        if books.debt:
            view.show(view.DEBT_COLUMNS, view.debt_rows(books.debt))
        if books.orphans:
            view.show(view.ORPHAN_COLUMNS, view.debt_rows(books.orphans), "orphans: in force after their fix")
        print(debts.summary_line(cases, books))
    in_force = [*books.debt, *books.orphans]
    if fail_on and any(fail_on is FailOn.any or row.overdue for row in in_force):
        raise typer.Exit(DEBT_BREACHED)


@app.command()
def ingest(
    spool: Annotated[Path | None, typer.Option(help="Folder of spool files; the user's own by default.")] = None,
) -> None:
    """Deliver the events that plays left in the spool."""
    from stopgap.ledger.paths import spool_dir
    from stopgap.ledger.service import ingest as deliver

    folder = spool or spool_dir()
    with ledger_errors():
        count = 0
        for delivery in deliver(folder):
            count += 1
            print(f"{delivery.file}: {delivery.new} new of {delivery.events} events")
            for sentence in delivery.bad:
                print(f"{delivery.file}, {sentence}; put aside in {folder / 'bad'}", file=sys.stderr)
    print(f"{count} files delivered" if count else f"nothing to deliver in {folder}")


@app.command()
def rebuild() -> None:
    """Project every case again from its events."""
    from stopgap.ledger import service

    with ledger_errors():
        print(f"{service.rebuild()} cases rebuilt")


@app.command()
def check() -> None:
    """Compare the cases that are kept with what their events say."""
    from stopgap.ledger import service

    with ledger_errors():
        wrong = service.check()
    for estate, host, remedy in wrong:
        print(f"{estate}/{host} {remedy}: kept otherwise than its events say")
    if wrong:
        print(f"{len(wrong)} cases differ; `stopgap ledger rebuild` makes them right", file=sys.stderr)
        raise typer.Exit(1)
    print("every case is what its events say")


def _cases(**filters: str) -> list[Any]:
    from stopgap.ledger.paths import spool_dir
    from stopgap.ledger.service import all_cases
    from stopgap.ledger.spool import waiting

    with ledger_errors():
        cases = all_cases(**filters)
    undelivered = waiting(spool_dir())
    if undelivered:
        print(
            f"stopgap: {undelivered} spool files are not in the ledger yet, of running plays or of broken deliveries; "
            "`stopgap ledger ingest` delivers them",
            file=sys.stderr,
        )
    return cases


def _nothing(filtered: bool) -> str:
    if filtered:
        return "No case matches; `stopgap status` shows all."
    return "The ledger is empty: `stopgap assess REMEDY -i INVENTORY` writes the first cases."


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))
