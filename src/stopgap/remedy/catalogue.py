"""Where remedies are found: given folders first, then ./remedies, then those that ship with the collection."""

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stopgap.collection import collection_root
from stopgap.remedy.actions import TASK_FILES
from stopgap.remedy.errors import RemedyError, UnknownRemedy, UnreadableRemedy
from stopgap.remedy.load import load, parse_file
from stopgap.remedy.models import Remedy


def search_path(given: Iterable[Path] = ()) -> list[Path]:
    """The folders to look in, first match wins, so a site can put its own word before ours.

    Raises UnreadableRemedy for a given folder that is not there, and for one that we may not read: neither must fall
    through to another remedy.
    """
    folders = [Path(folder) for folder in given]
    local = Path("remedies")
    shipped = collection_root() / "remedies"
    folders += [folder for folder in (local, shipped) if folder.is_dir()]
    for folder in folders:
        if not os.access(folder, os.R_OK | os.X_OK) or not folder.is_dir():
            where = "--path or stopgap_remedy_path, and who may read it"
            raise UnreadableRemedy(f"{folder} is not a folder of remedies: check {where}")
    return list({folder.resolve(): folder.resolve() for folder in folders})


def catalogue(path: Sequence[Path]) -> Iterator[Path]:
    """Every remedy file that can be reached by its id, in order of id."""
    yield from (file for _, file in sorted(_by_id(path).items()))


def find(wanted: str, path: Sequence[Path]) -> Path:
    """The file of a remedy by id or alias, in any case. Raises UnknownRemedy with near names and where it looked."""
    files = _by_id(path)
    key = wanted.strip().casefold()
    if key in files:
        return files[key]
    aliased = [file for file in files.values() if key in _aliases(file)]
    if len(aliased) == 1:
        return aliased[0]
    if aliased:
        names = ", ".join(file.stem for file in aliased)
        raise UnknownRemedy(f"'{wanted}' is an alias of several remedies ({names}): name the one you mean")
    near = difflib.get_close_matches(key, files, n=3, cutoff=0.85)
    hint = f"; near: {', '.join(files[name].stem for name in near)}" if near else ""
    raise UnknownRemedy(f"no remedy '{wanted}'{hint}; looked in {', '.join(map(str, path)) or 'no folder'}")


def resolve(ids: Iterable[str], path: Sequence[Path]) -> list[dict[str, Any]]:
    """Remedies in the shape of contracts.md §2, in the order asked for, each once; `all` is the whole catalogue.

    Raises RemedyError.
    """
    files = dict.fromkeys(file for wanted in ids for file in _wanted(wanted, path))
    return [resolved(load(file), file) for file in files]


def resolved(remedy: Remedy, file: Path) -> dict[str, Any]:
    """One remedy as it travels. Task files become absolute: the role that runs them stands in another folder."""
    shape = remedy.resolved() | {"source": str(file)}
    for mitigation in shape["mitigations"]:
        for action in mitigation["actions"]:
            if action["type"] == "tasks":
                _anchor(action["params"], file.parent)
    return shape


def _wanted(wanted: str, path: Sequence[Path]) -> Iterator[Path]:
    if wanted == "all":
        yield from catalogue(path)
    else:
        yield find(wanted, path)


def _anchor(params: dict[str, Any], folder: Path) -> None:
    for phase in TASK_FILES:
        if params[phase]:
            params[phase] = str(folder / params[phase])


def _by_id(path: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in path:
        for file in folder.glob("[!.]*.yml"):  # an editor keeps hidden files of its own beside a remedy
            files.setdefault(file.stem.casefold(), file)
    return files


def _aliases(file: Path) -> set[str]:
    """A broken file elsewhere must not stop the search for a good one; it has its say when it is asked for."""
    try:
        data = parse_file(file).data
    except RemedyError:
        return set()
    aliases = data.get("aliases", []) if isinstance(data, dict) else []
    return {str(alias).casefold() for alias in aliases} if isinstance(aliases, list) else set()
