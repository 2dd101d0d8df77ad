"""`tests/<ID>.yml` beside a remedy: what cannot be guessed about the host it is tried on."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from stopgap.contract.errors import ContractError
from stopgap.remedy import RemedyError
from stopgap.remedy.basis import Strict
from stopgap.remedy.load import near, read
from stopgap.remedy.nodes import parse
from stopgap.remedy.values import AbsolutePath, Argv, Text

FOLDER = "tests"


class NotHere(Strict):
    """Why something of the remedy cannot run in the lab."""

    all: Text | None = None  # nothing of it
    fix: Text | None = None
    mitigations: dict[Text, Text] = {}


class Surroundings(Strict):
    """All keys may be left out; docs/how-to/write-a-remedy.md has an example."""

    suite: Literal["bullseye", "bookworm", "trixie"] | None = None
    standin: bool = False  # not the archive's real pair, though there is one
    packages: list[Text] = []  # installed beside the affected ones
    files: dict[AbsolutePath, str] = {}  # written before `prepare`
    prepare: list[Argv] = []  # run as root, in order, before the host is assessed
    before_fix: list[Argv] = []  # what an operator has to do for the fix to be whole, such as an obligation
    volatile: list[AbsolutePath] = []  # files that change by themselves and are not compared
    why: NotHere = Field(default=NotHere())


def sidecar_file(remedy: Path) -> Path:
    return remedy.parent / FOLDER / remedy.name


def load_sidecar(remedy: Path) -> Surroundings:
    """What stands beside a remedy, or nothing. Raises ContractError with FILE:LINE for each problem."""
    file = sidecar_file(remedy)
    if not file.is_file():
        return Surroundings()
    try:
        document = parse(file, read(file))
    except RemedyError as error:
        raise ContractError(str(error)) from None
    try:
        return Surroundings.model_validate(document.data)
    except ValidationError as error:
        lines = [f"{file}:{document.line_of(item['loc'])}: {_words(item)}" for item in error.errors()]
        raise ContractError("\n".join(lines)) from None


def _words(item: Any) -> str:
    where = ".".join(map(str, item["loc"])) or "the file"
    if item["type"] == "extra_forbidden":
        known = list(Surroundings.model_fields)
        return f"unknown key '{where}'{near(str(item['loc'][-1]), known)} (keys here: {', '.join(known)})"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"
