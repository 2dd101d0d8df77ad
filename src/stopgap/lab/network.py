"""The network of the hosts: one for all labs of the machine, and an address for each host that stays."""

import ipaddress
import json
import os
import random
from collections.abc import Iterable, Iterator

from stopgap.lab.command import run
from stopgap.lab.engine import Engine
from stopgap.lab.errors import LabError
from stopgap.lab.paths import machine_lock

Network = ipaddress.IPv4Network

NAME = "stopgap-lab"
CANDIDATES = [Network(f"10.{n}.0.0/16") for n in range(90, 130)]


def ensure_network(engine: Engine) -> Network:
    with machine_lock("network"):
        if found := _existing(engine):
            return found
        subnet = choose_subnet(_routed(), os.environ.get("STOPGAP_LAB_SUBNET"))
        engine.podman("network", "create", "--disable-dns", f"--subnet={subnet}", "--label=stopgap.lab", NAME)
        return subnet


def remove_network(engine: Engine) -> None:
    with machine_lock("network"):
        if _existing(engine):
            engine.podman("network", "rm", NAME)


def _existing(engine: Engine) -> Network | None:
    for network in engine.networks():
        if network["name"] == NAME:
            return Network(network["subnets"][0]["subnet"])
    return None


def _routed() -> list[Network]:
    """What this machine already sends somewhere."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout or "[]")
    return [Network(route["dst"], strict=False) for route in routes if route["dst"][:1].isdigit()]


def choose_subnet(taken: Iterable[Network], chosen: str | None = None) -> Network:
    """The first candidate that overlaps nothing; `chosen` goes before all."""
    if chosen:
        return _parse_subnet(chosen)
    routed = list(taken)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(other) for other in routed):
            return candidate
    raise LabError("No free network for the lab's hosts: set STOPGAP_LAB_SUBNET to one, such as 172.30.0.0/16")


def _parse_subnet(text: str) -> Network:
    try:
        return Network(text)
    except ValueError as error:
        raise LabError(
            f"STOPGAP_LAB_SUBNET is no IPv4 network ({error}): set it to one such as 172.30.0.0/16"
        ) from None


def free_addresses(subnet: Network, taken: Iterable[str]) -> Iterator[str]:
    """Free addresses in a row from a random place on.

    Random, so that a new host hardly ever gets the address of one just removed: ssh keeps connections to those open.
    """
    used = set(taken)
    first, last = int(subnet.network_address) + 2, int(subnet.broadcast_address) - 1
    start = random.randint(first, last)  # noqa: S311 - not a secret
    for number in (*range(start, last + 1), *range(first, start)):
        address = str(ipaddress.IPv4Address(number))
        if address not in used:
            yield address
    raise LabError(f"All addresses of {subnet} are taken: remove a lab with `stopgap lab down`")


def mac_address(address: str) -> str:
    """A host's own for good: after a boot with a new one, neighbours would talk to the old one for half a minute."""
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)


def set_link(engine: Engine, container: str, up: bool) -> None:
    """Plug or unplug the host's cable: the machine's end of its link goes up or down, the host's settings stay."""
    inside = run(["nsenter", "-t", str(engine.pid(container)), "-n", "ip", "-json", "link", "show", "dev", "eth0"])
    index = json.loads(inside.stdout)[0]["link_index"]
    ours = json.loads(run(["ip", "-json", "link"]).stdout)
    name = next(link["ifname"] for link in ours if link["ifindex"] == index)
    run(["ip", "link", "set", "dev", name, "up" if up else "down"])
