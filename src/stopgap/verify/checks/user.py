"""`user {name, in_groups?, not_in_groups?, shell?}`: as the host's own name service says, its own group included."""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed

ROWS = (
    Row(
        "user: {name, in_groups?, not_in_groups?, shell?}",
        "the user is there and all that is asked for holds",
        "one does not, or there is no such user",
        "the name service does not answer",
    ),
)

NOT_FOUND = 2  # of getent


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    user = params["name"]
    found = host.run_expect([0, NOT_FOUND], "getent passwd -- %s", user)
    if found.rc == NOT_FOUND:
        return failed(f"there is no user {user}")
    shell = found.stdout.rstrip("\n").split(":")[6]
    groups = host.run_expect([0], "id -Gnz -- %s", user).stdout.split("\0")  # names may have blanks
    wrong = [f"is not in {group}" for group in params.get("in_groups") or [] if group not in groups]
    wrong += [f"is in {group}" for group in params.get("not_in_groups") or [] if group in groups]
    if params.get("shell") not in (None, shell):
        wrong.append(f"has the shell {shell}")
    return failed(f"{user} {' and '.join(wrong)}") if wrong else passed(f"{user} is as expected")
