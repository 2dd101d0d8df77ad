"""Which hosts `--hosts` names and how each is reached: testinfra's spelling and options, our connections.

A new kind of connection is one function and one line of KINDS.
"""

import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any

from testinfra.backend import parse_hostspec
from testinfra.backend.base import BaseBackend

from stopgap.verify.agent import BOOTSTRAP, FLAGS
from stopgap.verify.errors import BadRequest
from stopgap.verify.inventory import Asked

Options = dict[str, Any]
Connection = dict[str, Any]
OF_ANSIBLE = ("ansible", "stopgap")  # an inventory's pattern; to checks it is one and the same


def connections(hostspecs: list[str], options: Options) -> dict[str, Connection]:
    """{HOST: CONNECTION of contracts.md §5}. `options` are testinfra's, by their own names; a hostspec's count first.

    What we cannot speak has its reason for a connection, and so ends as unknown. Raises BadRequest.
    """
    return Hosts(hostspecs, options).connections()


class Hosts:
    """The same in two steps: Ansible, where it has to be asked, is at it while others do something else."""

    def __init__(self, hostspecs: list[str], options: Options):
        self._found: dict[str, Connection] = {}
        self._told_by: dict[str, Any] = {}
        patterns: dict[str | None, list[str]] = {}
        for spec in hostspecs:
            host, own = parse_hostspec(spec)
            given = options | own
            if given.get("connection") in OF_ANSIBLE:
                patterns.setdefault(given.get("ansible_inventory"), []).append(host or "all")
            else:
                reached = _reached(host, given)
                self._add(reached, reached)
        self._asked = [
            (Asked(pattern, inventory, strict), inventory)
            for inventory, wanted in patterns.items()
            for pattern, strict in _joined(wanted)
        ]

    def connections(self) -> dict[str, Connection]:
        while self._asked:
            asked, inventory = self._asked.pop(0)
            self._add(asked.answer(), inventory)
        return self._found

    def _add(self, found: dict[str, Connection], teller: Any) -> None:
        for host in found:
            if self._told_by.setdefault(host, teller) != teller:
                raise BadRequest(
                    f"{host} is named twice, and reached in two ways: "
                    "give each a name of its own in an inventory, or in ssh's configuration"
                )
        self._found |= found

    def drop(self) -> None:
        while self._asked:
            self._asked.pop()[0].drop()


def _joined(patterns: list[str]) -> Iterator[tuple[str, bool]]:
    """(what Ansible is asked, whether it must know each). Plain ones go together; an exclusion would be one of all."""
    plain = [pattern for pattern in patterns if not set(pattern) & set(":&!")]
    if plain:
        yield ":".join(plain), len(plain) > 1
    for pattern in patterns:
        if pattern not in plain:
            yield pattern, False


def slow_hosts(connections: dict[str, Connection]) -> list[str]:
    """Once: which hosts are asked by an `ansible` for every command."""
    kinds = {host: told["ansible"]["ansible_connection"] for host, told in connections.items() if "ansible" in told}
    if not kinds:
        return []
    names = ", ".join([*sorted(kinds)[:5], *(["…"] if len(kinds) > 5 else [])])
    plugins = ", ".join(sorted(set(kinds.values())))
    return [f"stopgap: {plugins} cannot be kept open: each command costs about a second on {names}"]


def _reached(host: str, given: Options) -> dict[str, Connection]:
    kind = given.get("connection") or "paramiko"  # as testinfra has it
    if kind in KINDS:
        return KINDS[kind](host, given)
    spoken = ", ".join([*OF_ANSIBLE, *KINDS])
    return {host: {"error": f"stopgap speaks {spoken}, not {kind}: write --hosts=ssh://{host} or ansible://{host}"}}


def _ssh(host: str, given: Options) -> dict[str, Connection]:
    where = BaseBackend.parse_hostspec(host)
    words = ["ssh", "-T", "-o", "ConnectTimeout=10"]
    for option, value in (
        ("-F", given.get("ssh_config")),
        ("-i", given.get("ssh_identity_file")),
        ("-l", where.user),
        ("-p", where.port),
    ):
        words += [option, str(value)] if value else []
    words += shlex.split(given.get("ssh_extra_args") or "")
    spec = _spec([*words, "--", where.name, _become(given)])
    return {where.name: spec | ({"password": where.password} if where.password else {})}


def _local(_host: str, given: Options) -> dict[str, Connection]:
    return {
        "local": _spec(["/bin/sh", "-c", _become(given, sys.executable)], sys.executable)
    }  # testinfra's name for it


def _container(engine: str) -> Callable[[str, Options], dict[str, Connection]]:
    def enter(host: str, given: Options) -> dict[str, Connection]:
        user, _at, name = host.rpartition("@")
        as_user = ["--user", user] if user else []
        return {name: _spec([engine, "exec", "-i", *as_user, name, "/bin/sh", "-c", _become(given)])}

    return enter


def _become(given: Options, python: str = "python3") -> str:
    """The agent's command line, for the host's shell."""
    words = [python, FLAGS, "-c", BOOTSTRAP]
    if given.get("sudo"):
        user = given.get("sudo_user")
        words = ["sudo", "-n", *(["-u", str(user)] if user else []), *words]
    return shlex.join(words)


def _spec(argv: list[str], python: str = "python3") -> Connection:
    return {"argv": argv, "python": python}


KINDS: dict[str, Callable[[str, Options], dict[str, Connection]]] = {
    "ssh": _ssh,
    "safe-ssh": _ssh,
    "local": _local,
    "podman": _container("podman"),
    "docker": _container("docker"),
}
