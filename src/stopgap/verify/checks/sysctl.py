"""`sysctl {name, value}`: the live value; blanks count as one."""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.verdict import Verdict, expect


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    value, wanted = (" ".join(str(raw).split()) for raw in (host.sysctl(params["name"]), params["value"]))
    return expect(value == wanted, f"{params['name']} is {value}" + ("" if value == wanted else f", not {wanted}"))
