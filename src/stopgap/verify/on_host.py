"""Programs that the verifier runs on hosts: parts of the collection, so that what acts and what proves cannot disagree,
and its own in checks/on_host/.
"""

import json
import shlex
from functools import cache
from pathlib import Path
from typing import Any

from stopgap.collection import collection_root
from stopgap.verify.backend import AgentHost


def ask(host: AgentHost, module: str, *arguments: Any) -> Any:
    """What the module prints as JSON; text goes as it is, all else as JSON. Surprise if it ends with an error."""
    return _answer(host, source(module), arguments)


def ask_own(host: AgentHost, program: str, *arguments: Any) -> Any:
    """The same of a program in checks/on_host/."""
    return _answer(host, own_source(program), arguments)


def _answer(host: AgentHost, program: str, arguments: tuple[Any, ...]) -> Any:
    words = [argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments]
    return json.loads(run(host, program, *words))


def run(host: AgentHost, program: str, *words: str) -> str:
    command = " ".join([host.backend.python, "-", *map(shlex.quote, words)])
    return host.check_output(command, stdin=program)


@cache
def source(module: str) -> str:
    return (collection_root() / f"plugins/module_utils/{module}.py").read_text(encoding="utf-8")


@cache
def own_source(program: str) -> str:
    return (Path(__file__).parent / f"checks/on_host/{program}.py").read_text(encoding="utf-8")
