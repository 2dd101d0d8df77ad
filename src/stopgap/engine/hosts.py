"""Which hosts an inventory has, told by Ansible itself."""

import os
import subprocess
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from stopgap.engine.environment import environment
from stopgap.engine.model import EngineError, RunRequest

INDENT = "    "  # before each host's name
VAULT = ("--vault-id", "--vault-password-file", "--vault-pass-file")


class Named(NamedTuple):
    """`unread` is which part of the inventory Ansible could not read, in its own words; empty where it read all."""

    hosts: list[str]
    unread: str


def hosts_of(request: RunRequest) -> Named:
    """Those that the request's inventory and limit name, without asking one of them. Raises EngineError."""
    done, unread = _ask(request, {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True"}), ""
    if done.returncode:
        unread = _said(done).splitlines()[-1].removeprefix("[ERROR]: ").removeprefix("ERROR! ")
        done = _ask(request, {})
    if done.returncode:
        raise EngineError(_said(done))
    return Named([line.removeprefix(INDENT) for line in done.stdout.splitlines() if line.startswith(INDENT)], unread)


def _ask(request: RunRequest, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = ["ansible", "all", "--list-hosts"]
    words += [word for source in request.inventory for word in ("-i", source)]
    words += ["-l", request.limit] if request.limit else []
    words += _vaults(request.passthrough)
    try:
        return subprocess.run(
            words,
            env=os.environ | environment(os.environ) | {"ANSIBLE_VERBOSITY": "0"} | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise EngineError(f"ansible could not be started: {error.strerror}") from None


def _vaults(words: Iterable[str]) -> list[str]:
    """What opens an encrypted inventory."""
    return [word for last, word in pairwise(["", *words]) if last in VAULT or word.partition("=")[0] in VAULT]


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip() or f"ansible ended with exit code {done.returncode}"
