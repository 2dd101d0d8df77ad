"""`stopgap lab`: real systemd hosts on this machine."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stopgap.lab import HostSpec, Lab, LabError
from stopgap.lab.hosts import expand
from stopgap.lab.overview import list_images, list_labs, prune, remove_all_labs
from stopgap.lab.setup import install_missing

app = typer.Typer(name="lab", help="Real systemd hosts on this machine.", no_args_is_help=True, add_completion=False)

NameOption = Annotated[str, typer.Option("--name", "-n", envvar="STOPGAP_LAB_NAME", help="The lab's name.")]
DEFAULT_NAME = "lab"


@contextmanager
def lab_errors() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        print(f"Error: {error}.", file=sys.stderr)
        raise typer.Exit(1) from None


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def say(text: str) -> None:
    print(text, file=sys.stderr)


@app.command()
def up(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST=SUITE[:PACKAGE,...]...")],
    name: NameOption = DEFAULT_NAME,
    count: Annotated[int, typer.Option(min=0, help="Make this many of each: n=bookworm becomes n1, n2, ...")] = 0,
) -> None:
    """Make hosts, or find them running, and write their inventory."""
    with lab_errors():
        lab = Lab(name, say).up(expand([HostSpec.parse(text) for text in hosts], count))
        show_rows(
            ["host", "suite", "address", "packages"],
            [[host.name, host.suite, host.address, ",".join(host.packages)] for host in lab.hosts],
        )
        print(lab.inventory)


@app.command()
def down(
    name: NameOption = DEFAULT_NAME,
    everything: Annotated[bool, typer.Option("--all", help="All labs of this machine.")] = False,
) -> None:
    """Remove a lab: its hosts, keys and inventory."""
    with lab_errors():
        if everything:
            say(f"removed: {', '.join(remove_all_labs()) or 'nothing'}")
        else:
            Lab(name).down()


@app.command("list")
def list_() -> None:
    """Show the labs of this machine."""
    with lab_errors():
        rows = [[row.name, f"{row.running}/{row.hosts}", row.folder] for row in list_labs()]
    show_rows(["lab", "running", "folder"], rows)


@app.command()
def inventory(name: NameOption = DEFAULT_NAME) -> None:
    """Print the path of the lab's inventory."""
    with lab_errors():
        lab = Lab(name)
        if not lab.inventory.is_file():
            raise LabError(f"Lab {name} has no inventory: make it with `stopgap lab up`")
        print(lab.inventory)


@app.command()
def ssh(
    host: str,
    command: Annotated[list[str] | None, typer.Argument(help="Instead of a shell; after --.")] = None,
    name: NameOption = DEFAULT_NAME,
) -> None:
    """Log in to a host as its user ops."""
    with lab_errors():
        lab = Lab(name)
        lab.host(host)
        os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), host, *(command or [])])  # noqa: S606


@app.command("exec")
def exec_(name: str, host: str, command: list[str]) -> None:
    """Run a command as root inside a host, without ssh: lab exec NAME HOST -- COMMAND."""
    with lab_errors():
        result = Lab(name).exec(host, command, check=False)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    raise typer.Exit(result.returncode)


@app.command()
def start(hosts: list[str], name: NameOption = DEFAULT_NAME) -> None:
    """Switch hosts on that are off, and wait until they are ready."""
    with lab_errors():
        lab = Lab(name)
        for host in hosts:
            lab.start(host)


@app.command()
def security(
    words: Annotated[list[str], typer.Argument(metavar="[HOST...] on|off")],
    every: Annotated[bool, typer.Option("--all", help="All hosts of the lab.")] = False,
    name: NameOption = DEFAULT_NAME,
) -> None:
    """Give hosts the security archive, or take it away."""
    with lab_errors():
        *hosts, switch = words
        if switch not in ("on", "off") or every == bool(hosts):
            raise LabError("Say which hosts and what: `lab security HOST... on`, or `lab security --all off`")
        Lab(name).security_each([*hosts] or None, on=switch == "on")


@app.command()
def setup() -> None:
    """Install what the lab needs (as root, on Debian and Ubuntu)."""
    with lab_errors():
        say(f"installed: {', '.join(install_missing()) or 'nothing, all is there'}")


@app.command()
def images() -> None:
    """Show the images hosts are made from."""
    with lab_errors():
        rows = [[row.image, row.holds, f"{row.size // 10**6} MB", str(row.containers)] for row in list_images()]
    show_rows(["image", "holds", "size", "hosts"], rows)


@app.command("prune")
def prune_() -> None:
    """Remove images that no host uses."""
    with lab_errors():
        say(f"removed {len(prune())} images")
