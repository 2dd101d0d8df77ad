"""`firewall {protocol?, port?, source?, except_from?}`: the kernel has the very rules that action `firewall` writes."""

from typing import Any

from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed

ROWS = (
    Row(
        "firewall: {protocol?, port?, source?, except_from?}",
        "the kernel has the rules of action `firewall` with these parameters",
        "the table is not there, or somebody changed it",
        "`nft` is missing or fails; not root",
    ),
)


def name(params: dict[str, Any]) -> str:
    way = f"{params['protocol']}/{params['port']}" if params["port"] else "all ports"
    return f"{way} from {params['source']}" if params["source"] else way


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if not params.get("port") and not params.get("source"):
        raise Surprise("give port with protocol, or source")
    rules = on_host.ask(host, "nft", params)
    if rules["live"] is None:
        return failed("open: the kernel has no table of ours for it")
    if rules["live"] != rules["wanted"]:
        differing = [line for line in rules["live"] if line not in rules["wanted"]] or ["some rules are gone"]
        return failed(f"the rules of our table are not what they should be: {differing[0]}")
    return passed("new connections are dropped")
