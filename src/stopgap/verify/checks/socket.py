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
    heard = [address(line, protocol) for line in lines]
    found = [one for one in heard if matches(one, wanted, port)]
    if protocol == "unix" and not found:
        found = _same_file(host, str(wanted), heard)
    said = f"listening: {', '.join(found[:5])}" if found else "nothing listens there"
    return expect(bool(found) == params["listening"], f"{params['address']}: {said}")


def address(line: str, protocol: str) -> str:
    """`State Recv-Q Send-Q Local Peer`; of unix sockets Netid stands before them, and paths may have blanks."""
    return line.split(None, 4)[4].rsplit(None, 3)[0] if protocol == "unix" else line.split()[3]


def _same_file(host: AgentHost, wanted: str, heard: list[str]) -> list[str]:
    """ss has the path as the program named it: /var/run/x.sock is /run/x.sock, and what a link leads to."""
    paths = [wanted, *(one for one in heard if one.startswith("/"))]
    out = host.run_expect([0, 1], f"stat -Lc %%d:%%i:%%n -- {' '.join(['%s'] * len(paths))}", *paths)  # 1: one is gone
    files = {path: (device, inode) for device, inode, path in (line.split(":", 2) for line in out.stdout.splitlines())}
    return [path for path in paths[1:] if wanted in files and files.get(path) == files[wanted]]


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
