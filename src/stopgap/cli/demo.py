"""`stopgap demo`: real hosts from exposed to fixed and proven, with the books kept."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli.ending import cleaned_up

if TYPE_CHECKING:
    from stopgap.lab import Lab


def demo(
    keep: Annotated[bool, typer.Option(envvar="KEEP", help="Leave the hosts up to play with.")] = False,
    name: Annotated[str, typer.Option(help="Name of the lab.")] = "demo",
) -> None:
    """Make three real hosts, take them from exposed to fixed and proven, and tear them down."""
    from stopgap.demo.story import HOSTS, STANDINS, Narrator, StoryError, prepare, tell
    from stopgap.lab import Lab, LabError

    started = time.monotonic()
    lab = Lab(name)
    try:
        lab.down()  # a demo starts from fresh hosts
        with torn_down(lab, keep):
            typer.echo(f"making {len(HOSTS)} hosts (the first time, their images are built: a few minutes)")
            lab.up(HOSTS)
            prepare(lab, STANDINS)
            state = fresh_state(lab.folder)
            tell(Narrator(lab, state))
            took = time.monotonic() - started
            typer.echo(f"\nEvery case is fixed and proven, debt 0, orphans 0. {took:.0f} s in all.")
            if keep:
                typer.echo(
                    f"The hosts stay up:\n  export STOPGAP_STATE_DIR={state}\n  stopgap assess all -i {lab.inventory}"
                    f"\n  stopgap lab ssh --name {name} {HOSTS[0].name}\n  stopgap lab down --name {name}"
                )
    except (StoryError, LabError) as error:
        typer.echo(f"stopgap demo: {error}", err=True)
        raise typer.Exit(1) from error


@contextmanager
def torn_down(lab: "Lab", keep: bool) -> Iterator[None]:
    """However it ends, a signal among that."""
    with cleaned_up():
        try:
            yield
        finally:
            if not keep:
                lab.down()


def fresh_state(folder: Path) -> Path:
    """An empty state folder for the demo's own ledger; the user's own is never touched."""
    state = folder / f"state-{os.getpid()}"
    state.mkdir(mode=0o700)
    return state
