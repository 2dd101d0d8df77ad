"""`kernel_module {name, loadable?, loaded?}`: whether it is in the kernel, and whether modprobe would bring it there.

What is built in is loaded. modprobe itself says what it is configured to do, so a comment counts for nothing, and a
blacklist alone does not either: it stops aliases, not the name.
"""

from typing import Any

from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed, unknown

ROWS = (
    Row(
        "kernel_module: {name, loadable?, loaded?}",
        "what is asked for holds",
        "one does not",
        "modprobe is missing; a command of somebody's own loads the module; it is not loaded, and no list "
        "of the kernel that runs lies in `/lib/modules`: it may be built in",
    ),
)

NOTHING = ("false", "true")


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    module, wanted = params["name"], [params.get(key) for key in ("loadable", "loaded")]
    if not isinstance(module, str) or wanted == [None, None]:
        raise Surprise("give the name of a module, and loadable or loaded")
    facts = on_host.ask(host, "modprobe", module)
    loaded = facts["loaded"] or facts["built_in"]
    if not loaded and not facts["has_lists"]:
        return unknown(f"{module} may be built in: this host has no list of the kernel that runs in /lib/modules")
    said = [f"{module} is {'built in' if facts['built_in'] else 'loaded' if loaded else 'not loaded'}"]
    if params.get("loaded") is not None and loaded != params["loaded"]:
        return failed(said[0])
    if params.get("loadable") is not None:
        loadable, reason = _loadable(facts)
        said.append(reason)
        if loadable is None:
            return unknown(" and ".join(said))
        if loadable != params["loadable"]:
            return failed(" and ".join(said))
    return passed(" and ".join(said))


def _loadable(facts: dict[str, Any]) -> tuple[bool | None, str]:
    commands = facts["installs"]
    if facts["built_in"]:
        return True, "part of the kernel itself"
    stopped = [command for command in commands if command.split()[0].rpartition("/")[2] in NOTHING]
    if commands and len(stopped) < len(commands):
        return None, f"what loads it is a command of its own: {next(c for c in commands if c not in stopped)}"
    if stopped:
        return False, f"modprobe runs {stopped[0]} instead"
    if not facts["on_disk"]:
        return False, "no such module lies on this host"
    return True, "modprobe would load it"
