"""`stopgap ledger verify|export|import`: whether the books are whole, and carrying them from one place to another."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from stopgap.cli.ending import cleaned_up
from stopgap.cli.ledger_options import AsJson, ledger_errors, print_json
from stopgap.ledger.errors import BadExport, LedgerError

if TYPE_CHECKING:
    from stopgap.ledger.chain import Finding
    from stopgap.ledger.integrity import Verified

Save = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the heads of all chains, to keep elsewhere.")]
Against = Annotated[Path | None, typer.Option(metavar="FILE", help="Heads saved earlier: each must still be there.")]
ToFile = Annotated[str, typer.Argument(metavar="[FILE]", help="Where to; - is standard output.")]
FromFile = Annotated[str, typer.Argument(metavar="FILE", help="An export; - is standard input.")]


def verify(save: Save = None, against: Against = None, as_json: AsJson = False) -> None:
    """Walk every hash chain: find events that were edited, removed, moved or put in.

    Exit code 1 when one is broken. A chain that forks is whole: a copy of the ledger was written to as well.
    Who can write to the database can also write another history, with its hashes; only heads that were saved
    elsewhere (--save) find that (--against).
    """
    from stopgap.ledger import heads, integrity
    from stopgap.ledger.store import exists, ledger_url, open_ledger, reading
    from stopgap.ledger.trouble import shown

    with ledger_errors():
        saved = heads.read_heads(against) if against else {}
        if exists():
            with reading(open_ledger()) as connection, _progress("verifying") as tick:
                found = integrity.verify(connection, saved, tick)
        elif saved:
            found = integrity.verify(None, saved)
        else:
            raise LedgerError(f"there is no ledger yet in {shown(ledger_url())}: nothing to verify")
        if save and not found.broken:
            with _file_errors(str(save)), _written(save) as file:
                heads.save_heads(found.heads, file)
    print_json(_as_dict(found)) if as_json else _show(found)
    if save and found.broken:
        print(f"stopgap: the heads of a broken ledger are not worth keeping: {save} was not written", file=sys.stderr)
    if found.broken:
        raise typer.Exit(1)


def export(file: ToFile = "-") -> None:
    """Write all events as JSON lines, for `stopgap ledger import`: a backup, or a merge with another ledger."""
    from stopgap.ledger import exchange
    from stopgap.ledger.store import exists, ledger_url, open_ledger, reading
    from stopgap.ledger.trouble import shown

    with ledger_errors():
        if not exists():
            raise LedgerError(f"there is no ledger yet in {shown(ledger_url())}: nothing to export")
        with reading(open_ledger()) as connection, _progress("exporting") as tick:
            if file == "-":
                count = exchange.export(connection, _guarded(sys.stdout.buffer.write, "standard output"), tick)
                _guarded(lambda _end: sys.stdout.buffer.flush(), "standard output")(b"")
            else:
                with _file_errors(file), _written(Path(file)) as out:
                    count = exchange.export(connection, _guarded(out.write, file), tick)
    if file != "-":
        print(f"{count} events exported to {file}")


def import_(file: FromFile, as_json: AsJson = False) -> None:
    """Merge: add the events of another ledger's export that are not here yet. All of the file, or nothing.

    Importing twice, or an older export, adds nothing twice; two ledgers that import each other hold the same.
    """
    from dataclasses import asdict

    from stopgap.ledger import exchange
    from stopgap.ledger.store import writing_ledger

    with ledger_errors(), _opened(file) as source, _progress("importing") as tick:
        try:
            with writing_ledger() as connection:
                done = exchange.bring_in(connection, source, tick)
        except BadExport as error:
            raise BadExport(f"{_shown(file)}, {error}") from error
    for fork in done.forks:
        print(f"stopgap: forked: {fork.line()}", file=sys.stderr)
    for sentence in done.clocks:
        print(f"stopgap: {sentence}", file=sys.stderr)
    if as_json:
        print_json({**asdict(done), "forks": [_finding(one) for one in done.forks]})
    else:
        print(f"{done.new} new of {done.events} events in {done.chains} chains")


# --- files ---------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Standard input and pipes are read to their end first: nobody waits for the ledger while a network is slow."""
    if file == "-" and not sys.stdin:
        raise LedgerError("standard input: it is closed")
    with ExitStack() as opened:
        with _file_errors(file):
            source: BinaryIO = sys.stdin.buffer if file == "-" else opened.enter_context(open(file, "rb"))
            if file == "-" or not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                source = opened.enter_context(_copied(source))
        yield source


@contextmanager
def _copied(source: BinaryIO) -> Iterator[BinaryIO]:
    import shutil
    from tempfile import TemporaryFile

    with TemporaryFile() as copy:
        shutil.copyfileobj(source, copy)
        copy.seek(0)
        yield copy


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    from stopgap.ledger import heads, sqlite
    from stopgap.ledger.store import ledger_url

    ledger = sqlite.path_of(ledger_url())
    if ledger and ledger.exists() and path.exists() and path.samefile(ledger):
        raise LedgerError(f"{path} is the ledger itself, which would be gone: name another file")
    with cleaned_up(), heads.whole_file(path) as file:  # or it would be left under a name that nobody looks for
        yield file


@contextmanager
def _file_errors(file: str) -> Iterator[None]:
    try:
        yield
    except LedgerError:
        raise
    except OSError as error:
        raise LedgerError(f"{_shown(file)}: {error.strerror}") from error


def _guarded(write: Callable[[bytes], Any], file: str) -> Callable[[bytes], None]:
    """Inside a transaction an OSError would be taken for the database's."""

    def guarded(line: bytes) -> None:
        with _file_errors(file):
            write(line)

    return guarded


def _shown(file: str) -> str:
    return "standard input" if file == "-" else file


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """A line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _events: None
        return
    from rich.console import Console

    console, count = Console(stderr=True), 0
    with console.status(f"{what} …") as status:

        def tick(events: int) -> None:
            nonlocal count
            count += events
            status.update(f"{what} … {count} events")

        yield tick


# --- what was found ------------------------------------------------------------------------------------------------


def _show(found: "Verified") -> None:
    from stopgap.ledger.chain import ADVICE

    for one in found.findings:
        print(f"broken: {one.line()}")
    for one in found.forks:
        print(f"forked: {one.line()}")
    if found.broken > len(found.findings):
        print(f"… and {found.broken - len(found.findings)} more")
    for kind in {one.kind: None for one in [*found.findings, *found.forks]}:
        print(f"{kind}: {ADVICE[kind]}")
    verdict = f"{found.broken} places are broken" if found.broken else "whole"
    print(f"{found.events} events in {found.chains} chains: {verdict}")


def _as_dict(found: "Verified") -> dict[str, Any]:
    return {
        "whole": not found.broken,
        "events": found.events,
        "chains": found.chains,
        "broken": found.broken,
        "findings": [_finding(one) for one in found.findings],
        "forks": [_finding(one) for one in found.forks],
    }


def _finding(one: "Finding") -> dict[str, Any]:
    from stopgap.ledger.chain import ADVICE

    place = {"seq": one.seq, "event": one.event, "kind": one.kind, "what": one.what, "advice": ADVICE[one.kind]}
    return one.chain._asdict() | place
