"""`stopgap ledger …`: keeping the fleet's books."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli import ledger_exchange, ledger_retire, ledger_review
from stopgap.cli.ledger_options import AsJson, ledger_errors, many, print_json, where_it_is

if TYPE_CHECKING:
    from stopgap.ledger.health import Health

app = typer.Typer(
    name="ledger", help="The fleet's books: make, deliver, check.", no_args_is_help=True, add_completion=False
)

_HOW_TO_LET_IN = (
    'let logins in with `GRANT stopgap_writer TO "NAME"` (plays, people who accept risks) '
    'or `GRANT stopgap_reader TO "NAME"` (reports)'
)


@app.command()
def ingest(
    spool: Annotated[Path | None, typer.Option(help="Folder of spool files; the user's own by default.")] = None,
) -> None:
    """Deliver the events that plays left in the spool."""
    from stopgap.ledger.paths import spool_dir
    from stopgap.ledger.service import ingest as deliver

    folder = spool or spool_dir()
    with ledger_errors():
        count = left = 0
        for delivery in deliver(folder):
            if delivery.left:
                left += 1
                print(f"stopgap: {delivery.left}", file=sys.stderr)
            if not delivery.delivered:
                continue
            count += 1
            print(f"{delivery.file}: {delivery.new} new of {delivery.events} events")
            for sentence in delivery.bad:
                print(f"{delivery.file}, {sentence}; put aside in {folder / 'bad'}", file=sys.stderr)
            for sentence in delivery.warnings:
                print(f"stopgap: {sentence}", file=sys.stderr)
    print(f"{many(count, 'file')} delivered" if count or left else f"nothing to deliver in {folder}")
    if left:
        raise typer.Exit(1)


@app.command()
def rebuild() -> None:
    """Project every case again from its events."""
    from stopgap.ledger import service

    with ledger_errors():
        print(f"{many(service.rebuild(), 'case')} rebuilt")


@app.command()
def init() -> None:
    """Make a ledger in the database of STOPGAP_LEDGER_URL, and grant its two roles what they need."""
    from stopgap.ledger import schema

    with ledger_errors():
        done = schema.init()
    print(f"{done.url}: {'a new ledger' if done.before is None else 'a ledger already'}, schema {done.now}")
    if done.has_roles:
        print(_HOW_TO_LET_IN)


@app.command()
def upgrade() -> None:
    """Bring the ledger's tables up to this version of stopgap. Its owner runs it."""
    from stopgap.ledger import schema

    with ledger_errors():
        done = schema.upgrade()
    print(f"{done.url}: schema {done.now}" + (", as before" if done.before == done.now else f", was {done.before}"))


@app.command()
def check(as_json: AsJson = False) -> None:
    """Say what this ledger is and what you may do with it; compare its cases with what their events say."""
    from dataclasses import asdict

    from stopgap.ledger import service

    with ledger_errors():
        found = service.look()
    if as_json:
        print_json(asdict(found) if found else {"differences": []})
    elif found is None:
        print(f"there is no ledger yet: {where_it_is()}")
    else:
        _show_health(found)
    if found and found.differences:
        raise typer.Exit(1)


def _show_health(found: "Health") -> None:
    print(f"{found.url}: {found.server}, schema {found.schema}")
    print(_rights(found))
    for estate, host, remedy in found.differences:
        print(f"{estate}/{host} {remedy}: kept otherwise than its events say")
    count = len(found.differences)
    if count:
        print(
            f"{many(count, 'case')} {'differs' if count == 1 else 'differ'}; `stopgap ledger verify` says whether the "
            "events can be trusted, then `stopgap ledger rebuild` makes the cases what they say",
            file=sys.stderr,
        )
    else:
        print("every case is what its events say")


def _rights(found: "Health") -> str:
    if not found.role:
        return "whoever may write to the file may change events: `stopgap ledger verify` tells"
    may = "reads and writes" if found.writes else "reads" if found.reads else "lacks grants: see `stopgap ledger init`"
    events = "cannot change events" if found.append_only else "may change events: let plays use another role"
    return f"role {found.role}: {may}, {events}"


app.command()(ledger_exchange.verify)
app.command()(ledger_exchange.export)
app.command("import")(ledger_exchange.import_)
app.command()(ledger_retire.retire)
app.command()(ledger_review.review)
