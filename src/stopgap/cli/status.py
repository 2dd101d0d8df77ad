"""`stopgap status`: the cases, their state and why: the worst of them, or all as JSON."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
from stopgap.cli.notices import tell_notices, told_notices
from stopgap.cli.risk_options import FailOn, Policy

MOST = 200  # rows, unless told otherwise


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
    limit: Annotated[
        int, typer.Option(min=0, max=MOST_ROWS, help="Show at most so many cases, the worst first; 0 shows all.")
    ] = MOST,
    policy: Policy = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 4 when an open case is past its due date, or when one is exposed.")
    ] = None,
) -> None:
    """Show cases, the worst first: one host and one vulnerability, its state and why."""
    filters = {"host": host, "remedy": remedy, "estate": estate, "state": state.value if state else ""}
    if not by_risk:
        show_json(filters) if as_json else show_worst(filters, limit)
    if by_risk or fail_on:
        show_risk(filters, policy, as_json if by_risk else None, fail_on, limit)


def show_risk(
    filters: dict[str, str], policy: Path | None, as_json: bool | None, fail_on: FailOn | None, limit: int
) -> None:
    """`as_json` is None where the order of work is not to be shown."""
    from stopgap.cli import by_risk

    work = by_risk.ask(filters, policy)
    if as_json is not None:
        by_risk.show(work, as_json=as_json, limit=limit)
    if fail_on:
        named = {name: filters[name] for name in ("host", "remedy", "estate")}
        end_gate(by_risk.tell_breaches(work, fail_on), **named)


def show_json(filters: dict[str, str]) -> None:
    """Every case, however many: read and written a page at a time."""
    from stopgap.ledger import debts
    from stopgap.ledger.case import Case, to_dict
    from stopgap.ledger.counts import OwedCounts, Tally
    from stopgap.ledger.events import spelled
    from stopgap.ledger.json_stream import print_stream
    from stopgap.ledger.readers import every_case
    from stopgap.ledger.reading import Filter

    tally, owed, now = Tally(), OwedCounts(), spelled(debts.utc_now())

    def counted(case: Case) -> dict[str, object]:
        tally.add(case.state, case.flags)
        owed.add(case.state, [one.expires_at for one in case.mitigations], now)
        return to_dict(case)

    def rest() -> dict[str, object]:
        told = told_notices(host=filters["host"], estate=filters["estate"])
        return {"summary": debts.summary(tally, owed), "notices": told}

    tell_undelivered()
    with ledger_errors():
        print_stream("cases", map(counted, every_case(Filter(**filters))), rest)


def show_worst(filters: dict[str, str], limit: int) -> None:
    from stopgap.cli import ledger_view as view
    from stopgap.ledger import debts
    from stopgap.ledger.readers import overview
    from stopgap.ledger.reading import Filter

    with ledger_errors():
        found = overview(Filter(**filters), limit)
    tell_undelivered()
    if not found.cases:
        print(nothing(any(filters.values())))
        return
    view.show(view.STATUS_COLUMNS, view.status_rows(found.cases))
    more = found.tally.cases - len(found.cases)
    if more > 0:
        print(
            f"and {more} more: --limit 0 shows all, --json writes all, --host, --remedy, --state and --estate narrow it"
        )
    print(debts.summary_line(found.tally, found.owed))
    tell_notices(host=filters["host"], estate=filters["estate"])
