"""Parts of the collection that the verifier runs on hosts, so that what acts and what proves cannot disagree."""

import json
import shlex
from functools import cache
from typing import Any

from stopgap.collection import collection_root
from stopgap.verify.backend import AgentHost


def ask(host: AgentHost, module: str, *arguments: Any) -> Any:
    """What the module prints as JSON; text goes as it is, all else as JSON. Surprise if it ends with an error."""
    words = [argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments]
    return json.loads(run(host, source(module), *words))


def run(host: AgentHost, program: str, *words: str) -> str:
    command = " ".join([host.backend.python, "-", *map(shlex.quote, words)])
    return host.check_output(command, stdin=program)


@cache
def source(module: str) -> str:
    return (collection_root() / f"plugins/module_utils/{module}.py").read_text(encoding="utf-8")
