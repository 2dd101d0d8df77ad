"""`tests/<ID>.yml` beside a remedy: what cannot be guessed about the host it is tried on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from stopgap.remedy import InvalidRemedy, Problem, UnreadableRemedy
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
    volatile: list[AbsolutePath] = []  # files and folders that change by themselves and are not compared
    why: NotHere = Field(default=NotHere())


def sidecar_file(remedy: Path) -> Path:
    return remedy.parent / FOLDER / remedy.name


def load_sidecar(remedy: Path) -> Surroundings:
    """What stands beside a remedy, or nothing. Raises InvalidRemedy with each problem and its line."""
    file = sidecar_file(remedy)
    if not file.is_file():
        return Surroundings()
    document = parse(file, read(file))
    try:
        return Surroundings.model_validate(document.data)
    except ValidationError as error:
        problems = [Problem(file, document.line_of(item["loc"]), _words(item)) for item in error.errors()]
        raise InvalidRemedy(problems) from None


def sidecar_problems(remedies: Iterable[Path]) -> list[Problem]:
    """For `remedy lint`: what is wrong with the sidecars, and those that stand beside no remedy."""
    files = list(remedies)
    problems: list[Problem] = []
    for file in files:
        try:
            load_sidecar(file)
        except InvalidRemedy as error:
            problems += error.problems
        except UnreadableRemedy as error:
            problems.append(Problem(sidecar_file(file), 1, str(error)))
    for folder in {file.parent for file in files}:
        for sidecar in sorted((folder / FOLDER).glob("*.y*ml")):
            if not (folder / sidecar.name).is_file():
                problems.append(Problem(sidecar, 1, f"there is no remedy {folder / sidecar.name} it could belong to"))
    return sorted(problems)


def _words(item: Any) -> str:
    where = ".".join(map(str, item["loc"])) or "the file"
    if item["type"] == "extra_forbidden":
        known = list(Surroundings.model_fields)
        return f"unknown key '{where}'{near(str(item['loc'][-1]), known)} (keys here: {', '.join(known)})"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"
