"""Ansible's Windows collections, to hold task files against: no Windows host is at hand to run them.

PyPI's `ansible` carries them; of its 54 MB only these two are kept, in $XDG_CACHE_HOME.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

VERSION = "12.3.0"
COLLECTIONS = ("ansible/windows", "community/windows")


@cache
def collections() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH. RuntimeError where PyPI cannot be asked."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / f"stopgap/ansible-{VERSION}"
    cached.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{cached}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cached.is_dir():
            with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
                _unpack(_download(Path(folder)), Path(folder) / "new")
                shutil.move(Path(folder) / "new", cached)
    return cached


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, f"ansible=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the Windows modules cannot be had from PyPI: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, target: Path) -> None:
    wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if name.startswith(wanted)])


def problems(module: str, arguments: dict) -> list[str]:
    """What the module's own documentation has against these arguments."""
    spec = spec_of(module)
    if spec is None:
        return [f"there is no module {module}"]
    given = {key: value for key, value in arguments.items() if not is_template(value)}
    required = [key for key, option in spec.items() if option.get("required") and key not in arguments]
    left_to_run_time = {key: {**spec[key], "required": False} for key in spec}
    found = ArgumentSpecValidator(left_to_run_time).validate(given)
    unknown = [f"{module} knows no {key}" for key in arguments if key not in names_of(spec)]
    return [*found.error_messages, *unknown, *(f"{module} needs {key}" for key in required)]


def is_template(value: object) -> bool:
    """Only a run can tell what it becomes, so its type is not judged."""
    return "{{" in str(value)


def names_of(spec: dict) -> set[str]:
    return {name for key, option in spec.items() for name in (key, *option.get("aliases", []))}


@cache
def spec_of(module: str) -> dict | None:
    """The argument spec that a module's DOCUMENTATION describes."""
    namespace, collection, name = module.split(".")
    folder = collections() / "ansible_collections" / namespace / collection / "plugins/modules"
    if not (folder / f"{name}.ps1").exists() and not (folder / f"{name}.py").exists():
        return None
    documented, *_ = get_docstring(
        str(folder / f"{name}.py"), fragment_loader, collection_name=f"{namespace}.{collection}"
    )
    return {key: as_spec(option) for key, option in (documented.get("options") or {}).items()}


def as_spec(option: dict) -> dict:
    told = {key: option[key] for key in ("type", "choices", "elements", "aliases", "required") if key in option}
    inner = option.get("suboptions")
    return told | ({"options": {key: as_spec(value) for key, value in inner.items()}} if inner else {})


def tasks_of(file: Path) -> list[dict]:
    return [dict(task) for task in yaml.safe_load(file.read_text())]


def module_of(task: dict) -> tuple[str, dict]:
    """A task's module and its arguments."""
    names = [key for key in task if key.count(".") == 2]
    assert len(names) == 1, f"one module, by its full name: {task}"
    return names[0], task[names[0]]
