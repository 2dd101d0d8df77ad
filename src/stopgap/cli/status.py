"""`stopgap status`: every case, its state and why."""

from enum import StrEnum
from typing import Annotated

import typer

from stopgap.cli.ledger_options import AsJson, Estate, Host, Remedy, nothing, print_json, read_cases


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
) -> None:
    """Show every case: one host and one vulnerability, its state and why."""
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts
    from stopgap.ledger.case import to_dict

    cases = read_cases(host=host, remedy=remedy, estate=estate, state=state.value if state else "")
    books = debts.owed(cases, debts.utc_now())
    if as_json:
        print_json({"cases": [to_dict(one) for one in cases], "summary": debts.summary(cases, books)})
    elif not cases:
        print(nothing(bool(host or remedy or state or estate)))
    else:
        view.show(view.STATUS_COLUMNS, view.status_rows(cases))
        print(debts.summary_line(cases, books))
