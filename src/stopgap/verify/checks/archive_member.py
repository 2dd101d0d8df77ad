"""`archive_member {paths, member, archives, found}`: whether an archive below `paths`, nested ones too, has the member.

An archive that cannot be read may have it: unknown, unless another one surely does.
"""

from typing import Any

from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect, unknown

ROWS = (
    Row(
        "archive_member: {paths, member, archives, found: false}",
        "no archive below `paths`, nested ones too, has the member (`found: true`: one has)",
        "one has it; the reason names them",
        "none is seen to have it, and one cannot be read",
    ),
)

ARCHIVES = ["*.jar", "*.war", "*.ear"]


def name(params: dict[str, Any]) -> str:
    return f"{params['member']} below {', '.join(params['paths'])}"


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    asked = {"paths": params["paths"], "member": params["member"], "archives": params.get("archives") or ARCHIVES}
    result = on_host.ask(host, "archives", asked)
    found, unreadable = result["found"], result["unreadable"]
    wanted = bool(params.get("found"))
    if found:
        return expect(wanted, f"{len(found)} with {params['member']}: {_shown(found, result['outside'])}")
    if unreadable:
        path = min(unreadable)
        return unknown(f"{len(unreadable)} cannot be read: {path}: {unreadable[path]}")
    return expect(not wanted, f"no archive below {', '.join(params['paths'])} has {params['member']}")


def _shown(found: dict[str, list[str]], outside: dict[str, str]) -> str:
    """A link out of `paths` is told as such: whoever looks for the archive there would not find it."""
    ways = [f"{path} (to {outside[path]})" if path in outside else path for path in sorted(found)]
    return ", ".join(ways[:5])
