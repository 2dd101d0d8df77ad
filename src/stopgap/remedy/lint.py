"""All problems of many remedy files: what `load` finds in each, and what only shows when they lie side by side."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from stopgap.remedy.actions import TASK_FILES
from stopgap.remedy.catalogue import resolved
from stopgap.remedy.errors import InvalidRemedy, Problem, UnreadableRemedy
from stopgap.remedy.load import load, parse_file
from stopgap.remedy.models import Remedy


def lint(files: Iterable[Path]) -> list[Problem]:
    """Every problem, sorted by file and line; an empty list is a clean catalogue."""
    files = list(files)
    readable = [file for file in files if file.is_file() and os.access(file, os.R_OK)]
    problems = [problem for file in readable for problem in _still_to_do(file)]
    sound: dict[Path, Remedy] = {}
    for file in files:
        if file.suffix != ".yml":
            problems.append(Problem(file, 1, f"only *.yml is looked for: rename it to {file.stem}.yml"))
            continue
        try:
            sound[file] = load(file)
        except InvalidRemedy as error:
            problems += error.problems
        except UnreadableRemedy as error:
            problems.append(Problem(file, 1, str(error)))
    return sorted([*problems, *_clashing_names(sound), *_missing_tasks(sound)])


def remedy_files(paths: Iterable[Path]) -> list[Path]:
    """The files of files and folders. Raises UnreadableRemedy for a path that is not there."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UnreadableRemedy(f"{path}: no such file or folder")
        files += sorted([*path.glob("*.yml"), *path.glob("*.yaml")]) if path.is_dir() else [path]
    return files


def _still_to_do(file: Path) -> Iterator[Problem]:
    """A skeleton is sound YAML before anybody has written the remedy."""
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        _before, mark, what = line.partition("# TODO")
        if mark:
            yield Problem(file, number, f"still to do: {what.lstrip(': ')}")


def _clashing_names(sound: dict[Path, Remedy]) -> Iterator[Problem]:
    """An alias that leads to two remedies leads to neither. The same id in two folders is an override, and meant."""
    owners: dict[str, str] = {remedy.id.casefold(): remedy.id for remedy in sound.values()}
    for file, remedy in sound.items():
        for n, alias in enumerate(remedy.aliases):
            owner = owners.setdefault(alias.casefold(), remedy.id)
            if owner != remedy.id:
                line = parse_file(file).line_of(("aliases", n))
                yield Problem(file, line, f"'{alias}' already names {owner}: an alias can stand for one remedy only")


def _missing_tasks(sound: dict[Path, Remedy]) -> Iterator[Problem]:
    for file, remedy in sound.items():
        for n, mitigation in enumerate(resolved(remedy, file)["mitigations"]):
            for m, action in enumerate(mitigation["actions"]):
                for phase in TASK_FILES:
                    tasks = action["params"].get(phase) if action["type"] == "tasks" else None
                    if tasks and not Path(tasks).is_file():
                        line = parse_file(file).line_of(("mitigations", n, "actions", m, "tasks", phase))
                        yield Problem(file, line, f"there is no task file {tasks}")
