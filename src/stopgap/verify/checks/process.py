"""`process {name?, user?, args_match?, running, count?}`: whether such processes run, as `ps` names them."""

from typing import Any

from stopgap.verify import on_host, patterns
from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect

ROWS = (
    Row(
        "process: {name?, user?, args_match?, running, count?}",
        "one runs of which all that is given holds (`count`: exactly so many), or with `running: false` none",
        "the other way round",
        "`/proc` does not show every process; there is no such user",
    ),
)
FILTERS = ("name", "user", "args_match")
NAME_LIMIT = 15  # what the kernel keeps of a name


def name(params: dict[str, Any]) -> str:
    return " ".join(str(params[key]) for key in FILTERS if params.get(key) is not None)


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if all(params.get(key) is None for key in FILTERS):
        raise Surprise("give name, user or args_match")
    if len((params.get("name") or "").encode()) > NAME_LIMIT:
        raise Surprise(f"no process has a name of more than {NAME_LIMIT} bytes")
    found = on_host.ask_own(host, "running", [params.get("name"), params.get("user")])
    if params.get("args_match") is not None:
        matches = patterns.search(params["args_match"], [one["args"] for one in found])
        found = [one for one, match in zip(found, matches, strict=True) if match is not None]
    wanted = params.get("count")
    said = f"{len(found)} run: {_shown(found)}" if found else "none runs"
    if wanted is not None:
        return expect(len(found) == wanted, said if len(found) == wanted else f"{said}, not {wanted}")
    return expect(bool(found) == params["running"], said)


def _shown(found: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['name']}[{one['pid']}]" for one in found[:5])
