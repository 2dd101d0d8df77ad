"""`stopgap accept`: a risk is accepted by somebody, for a reason, until a date."""

import sys
from typing import Annotated

import typer

from stopgap.cli.ledger_options import Estate, ledger_errors, many


def accept(
    hosts: Annotated[str, typer.Argument(metavar="HOST", help="A host of the ledger, `all`, or a pattern: 'web*'.")],
    remedy: Annotated[str, typer.Argument(metavar="REMEDY")],
    why: Annotated[str, typer.Option(help="The reason; it is recorded.")],
    until: Annotated[
        str, typer.Option(help="A day (to its end, UTC), or a time from now: 2026-12-24, 14d, 12h. At most a year.")
    ] = "",
    who: Annotated[str, typer.Option(help="Who accepts; by default who logged in, also behind sudo.")] = "",
    estate: Estate = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an acceptance back.")] = False,
) -> None:
    """Accept the risk of an open case until a date: recorded with who and why, shown with its state, and it expires."""
    if withdraw == bool(until):
        problem = "--withdraw takes no --until" if withdraw else "--until is missing: an acceptance has an end"
        raise typer.BadParameter(problem)
    from stopgap.ledger import accepting, debts, say

    now = debts.utc_now()
    with ledger_errors():
        end = None if withdraw else accepting.parse_until(until, now)
        words = accepting.Words(who=say.speaker(who), why=say.said("why", why), until=end)
        done = accepting.accept(hosts, remedy, estate, words, now)
    several = len({case.estate for case in done.cases}) > 1
    for case in done.cases:
        host = f"{case.estate}/{case.host}" if several else case.host
        told = f"accepted by {words.who} until {end:%Y-%m-%d %H:%M} UTC" if end else "acceptance taken back"
        print(f"{host} {case.remedy}: {told} ({case.state})")
    if done.passed_over:
        why_not = "never accepted" if withdraw else "closed"
        print(f"{many(len(done.passed_over), 'case')} passed over: {why_not}", file=sys.stderr)
