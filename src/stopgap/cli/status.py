"""`stopgap status`: every case, its state and why."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stopgap.cli.ledger_options import BREACHED, AsJson, Estate, Host, Remedy, nothing, print_json, read_cases
from stopgap.cli.notices import tell_notices, told_notices
from stopgap.cli.risk_options import FailOn, Policy


class State(StrEnum):
    unknown = "unknown"
    not_affected = "not_affected"
    exposed = "exposed"
    mitigated = "mitigated"
    patched = "patched"
    fixed = "fixed"


def status(
    host: Host = "",
    remedy: Remedy = "",
    state: Annotated[State | None, typer.Option(help="Only cases in this state.")] = None,
    estate: Estate = "",
    as_json: AsJson = False,
    by_risk: Annotated[bool, typer.Option("--by-risk", help="Open cases in the order of work.")] = False,
    policy: Policy = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 4 when an open case is past its due date, or when one is exposed.")
    ] = None,
) -> None:
    """Show every case: one host and one vulnerability, its state and why."""
    filters = {"host": host, "remedy": remedy, "estate": estate, "state": state.value if state else ""}
    if not by_risk:
        show_cases(filters, as_json)
    if by_risk or fail_on:
        show_risk(filters, policy, as_json if by_risk else None, fail_on)


def show_risk(filters: dict[str, str], policy: Path | None, as_json: bool | None, fail_on: FailOn | None) -> None:
    """`as_json` is None where the order of work is not to be shown."""
    from stopgap.cli import by_risk

    work = by_risk.ask(filters, policy)
    if as_json is not None:
        by_risk.show(work, as_json=as_json)
    if fail_on and by_risk.tell_breaches(work, fail_on):
        raise typer.Exit(BREACHED)


def show_cases(filters: dict[str, str], as_json: bool) -> None:
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts
    from stopgap.ledger.case import to_dict

    cases = read_cases(**filters)
    books = debts.owed(cases, debts.utc_now())
    if as_json:
        told = {"notices": told_notices(host=filters["host"], estate=filters["estate"])}
        print_json({"cases": [to_dict(one) for one in cases], "summary": debts.summary(cases, books), **told})
    elif not cases:
        print(nothing(any(filters.values())))
    else:
        view.show(view.STATUS_COLUMNS, view.status_rows(cases))
        print(debts.summary_line(cases, books))
        tell_notices(host=filters["host"], estate=filters["estate"])
