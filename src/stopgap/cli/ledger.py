"""`stopgap ledger …`: keeping the fleet's books."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stopgap.cli.ledger_options import ledger_errors

app = typer.Typer(name="ledger", help="The fleet's books: deliver, rebuild, check.", no_args_is_help=True)


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
