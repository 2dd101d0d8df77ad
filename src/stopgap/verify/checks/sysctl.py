"""`sysctl {name, value}`: the live value; blanks count as one."""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect

ROWS = (
    Row(
        "sysctl: {name, value}",
        "the live value is that; blanks count as one",
        "it is another",
        "the kernel has no such name",
    ),
)


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if params["name"].startswith("-") or "=" in params["name"]:
        raise Surprise("that is no name, and sysctl could set something for it")
    value, wanted = (" ".join(str(raw).split()) for raw in (host.sysctl(params["name"]), params["value"]))
    return expect(value == wanted, f"{params['name']} is {value}" + ("" if value == wanted else f", not {wanted}"))
