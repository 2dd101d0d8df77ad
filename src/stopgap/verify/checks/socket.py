"""`socket {listening, address}`, address as testinfra writes it: udp://631, tcp://127.0.0.1:22, unix:///run/x.sock.

An address without a host means any: for testinfra a daemon on 0.0.0.0 alone does not listen on udp://631, and a failing
`ss` means that nobody listens. Both would prove a closed port that is open.
"""

from ipaddress import ip_address
from typing import Any

from testinfra.modules.socket import parse_socketspec

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect

ROWS = (
    Row(
        "socket: {listening, address}",
        "something (`true`) or nothing (`false`) listens there",
        "the other way round",
        "`ss` is missing or fails",
    ),
)

WILDCARDS = ("0.0.0.0", "::", "*")  # noqa: S104 - what ss prints, not what we bind
OPTION = {"tcp": "--tcp --extended", "udp": "--udp --extended", "unix": "--unix"}
IPV6_ALONE = "v6only:1"  # in what is told besides


def name(params: dict[str, Any]) -> str:
    return str(params["address"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    protocol, wanted, port = parse_socketspec(params["address"])
    out = host.check_output(f"ss --numeric --listening {OPTION[protocol]}")
    lines = [line for line in out.splitlines()[1:] if line.strip()]
    if wanted and _is_ipv4(wanted):
        lines = [line for line in lines if IPV6_ALONE not in line.split()]
    found = [one for one in (address(line, protocol) for line in lines) if matches(one, wanted, port)]
    said = f"listening: {', '.join(found[:5])}" if found else "nothing listens there"
    return expect(bool(found) == params["listening"], f"{params['address']}: {said}")


def address(line: str, protocol: str) -> str:
    """`State Recv-Q Send-Q Local Peer`; for unix sockets Netid stands before them."""
    return line.split()[4 if protocol == "unix" else 3]


def matches(local: str, wanted: str | None, port: int | None) -> bool:
    if port is None:
        return local == wanted
    host, _, local_port = local.rpartition(":")
    host = _plain(host.split("%")[0].strip("[]"))
    return local_port == str(port) and (wanted is None or host == _plain(wanted) or host in _covering(wanted))


def _plain(address: str) -> str:
    """One way to write it. What programs bind as ::ffff:127.0.0.1, as those in Java do, is 127.0.0.1."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)


def _is_ipv4(address: str) -> bool:
    return ":" not in _plain(address)


def _covering(wanted: str) -> tuple[str, ...]:
    """The wildcards that take what is sent to `wanted`: an IPv6 one can take IPv4 as well."""
    return WILDCARDS if _is_ipv4(wanted) else ("::", "*")
