"""The processes that run what a remedy's packages have replaced, for site tests."""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.checks.package import fixed_in, installed
from stopgap.verify.checks.processes import ask
from stopgap.verify.errors import Surprise

Process = dict[str, Any]


def of_remedy(host: AgentHost, remedy: dict[str, Any]) -> list[Process]:
    """Over all packages of the fix. Raises Surprise where it cannot be told, so that an empty list proves something.

    A removed package takes the list of its files with it: then every process counts whose program is gone.
    """
    wanted = remedy["fix"]["packages"]
    here = [name for name in wanted if installed(host, name)]
    gone = [name for name in wanted if name not in here and _named_here(host, name, remedy)]
    if gone and not here:
        raise Surprise(f"{gone[0]} is not installed, so there is no telling what still runs of it")
    return [one for word in [*here, *(["--gone"] if gone else [])] for one in ask(host, word)]


def _named_here(host: AgentHost, package: str, remedy: dict[str, Any]) -> bool:
    return fixed_in(host, package, remedy["affected"]["packages"]) not in (None, "not_affected")
