"""`stopgap ledger retire`: a host is gone for good, somebody says so."""

from typing import Annotated

import typer

from stopgap.cli.ledger_options import Estate, ledger_errors, name_given


def retire(
    host: Annotated[str, typer.Argument(help="A host of the ledger, by its name there.", callback=name_given)],
    reason: Annotated[str, typer.Option(help="Why: renamed to what, taken down when; it is recorded.")],
    who: Annotated[str, typer.Option(help="Who says so; by default who logged in, also behind sudo.")] = "",
    estate: Estate = "",
) -> None:
    """Close all cases of a host that is gone: renamed, or taken down. Should it answer again, they are what it says."""
    from stopgap.ledger import debts, say
    from stopgap.ledger.retiring import retire as retire_host

    with ledger_errors():
        speaker, why = say.speaker(who), say.said("reason", reason)
        done = retire_host(host, estate, who=speaker, why=why, now=debts.utc_now())
    print(
        f"{done.host} is retired by {speaker}: {done.open} open of {done.cases} cases closed, "
        f"mitigations in force no longer counted: {done.held}"
    )
