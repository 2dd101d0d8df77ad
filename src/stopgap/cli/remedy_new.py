"""`stopgap remedy new`: the skeleton of a remedy, empty or from a vendor's advisory."""

import re
from pathlib import Path
from typing import Annotated

import typer

ID = re.compile(r"[A-Z][A-Za-z0-9]*(-[A-Za-z0-9]+)+")


def new(
    remedy_id: Annotated[str, typer.Argument(metavar="ID", help="CVE-…, or the vendor's id where there is no CVE.")],
    source: Annotated[Path | None, typer.Option("--from", metavar="FILE", help="A CSAF or OSV file.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: remedies/ID.yml; '-' prints it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write the skeleton of a remedy. What is not known is marked TODO, and `lint` names each until it is done."""
    from stopgap.advisory import AdvisoryError, read_advisory, skeleton
    from stopgap.remedy.errors import one_line

    if not ID.fullmatch(remedy_id):
        raise typer.BadParameter(f"'{remedy_id}' is no id of a remedy: write it as CVE-2024-6387")
    try:
        advisory = read_advisory(source, remedy_id) if source else None
    except AdvisoryError as error:
        raise typer.TyperException(one_line(str(error))) from None
    text = skeleton(remedy_id, advisory)
    if output == Path("-"):
        typer.echo(text, nl=False)
        return
    file = output or Path("remedies") / f"{remedy_id}.yml"
    _write(file, text, force)
    for doubt in advisory.doubts if advisory else []:
        typer.echo(f"stopgap: not taken as a fix: {one_line(doubt)}", err=True)
    typer.echo(f"{file}: {text.count('# TODO')} things to do; 'stopgap remedy lint {file}' names them")


def _write(file: Path, text: str, force: bool) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise typer.TyperException(f"{file} is there already: choose another with -o, or say --force") from None
    except OSError as error:
        raise typer.TyperException(f"{file}: {error.strerror}") from None
