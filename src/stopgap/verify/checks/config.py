"""`config {daemon, option, value?, exists?, has?, …, for?}`: the effective value, as the daemon itself tells it."""

import shlex
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.conditions import CONDITIONS, broken
from stopgap.verify.context import Context
from stopgap.verify.daemons import DAEMONS, Daemon
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect, failed, passed, together, unknown

ROWS = (
    Row(
        "config: {daemon, option, value?, exists?, has?, lacks?, matches?, lacks_match?, for?}",
        "the value in force is `value`, and all else that is asked for holds, in every place that counts",
        "one does not, in one place",
        "the daemon is not there or rejects its configuration; it does not say what the option is",
    ),
)


def name(params: dict[str, Any]) -> str:
    scope = "".join(f" for {key} {value}" for key, value in (params.get("for") or {}).items())
    return f"{params['daemon']} {params['option']}{scope}"


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if params["daemon"] not in DAEMONS:
        raise Surprise(f"no daemon {params['daemon']} is known here")
    if all(params.get(key) is None for key in ("value", "exists", *CONDITIONS)):
        raise Surprise("give value, exists or a condition")
    daemon, scope = DAEMONS[params["daemon"]], params.get("for") or {}
    text = host.run_expect([0], shlex.join(daemon.command(scope))).stdout
    places = daemon.read(text, params["option"], scope)
    return together([_judge(daemon, params, place, values) for place, values in places.items()])


def _judge(daemon: Daemon, params: dict[str, Any], place: str, values: list[str] | None) -> Verdict:
    what = f"{params['option']} ({place})" if place else str(params["option"])
    if values is None:
        if params.get("exists") is None:
            return unknown(f"{what}: {params['daemon']} does not say what it is")
        return expect(not params["exists"], f"{what} is not set")
    text = "\n".join(values)
    said = f"{what} is {', '.join(values) or 'empty'}"
    if params.get("exists") is False:
        return failed(said)
    wanted = params.get("value")
    if wanted is not None and not (len(values) == 1 and daemon.same(_plain(values[0]), _plain(wanted))):
        return failed(f"{said}, not {wanted}")
    if problem := broken(params, text):
        return failed(f"{said}: {problem}")
    return passed(said)


def _plain(value: str) -> str:
    """Blanks count as one."""
    return " ".join(value.split())
