"""testinfra's `--hosts=stopgap://PATTERN`: a site's own tests, testinfra's own modules, our connections.

testinfra makes backends by their name and hands them its options: what they share is the class's `reach`.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

from stopgap.verify.backend import AgentHost
from stopgap.verify.errors import BadRequest
from stopgap.verify.inventory import ask_ansible
from stopgap.verify.prover import Prover

TIMEOUT = 120.0  # seconds for one command, unless the hostspec says otherwise
NAME = "stopgap"

Told = list[tuple[str | None, str, dict[str, dict[str, Any]]]]  # inventory, pattern, {HOST: CONNECTION}


class Reach:
    """What Ansible told of hosts, asked once for each pattern of an inventory, and one connection to each host."""

    def __init__(self) -> None:
        self._provers: dict[tuple[str | None, str], Prover] = {}
        atexit.register(self.close)  # testinfra has no end of a session

    def hosts(self, pattern: str, inventory: str | None) -> list[str]:
        """Raises BadRequest where Ansible has none for the pattern."""
        if (inventory, pattern) not in self._provers:
            self._provers[inventory, pattern] = Prover(ask_ansible(pattern, inventory), TIMEOUT)
        return list(self._provers[inventory, pattern].connections)

    @contextmanager
    def on(self, name: str, inventory: str | None) -> Iterator[AgentHost]:
        with self._prover_of(name, inventory).on(name) as host:
            yield host

    def _prover_of(self, name: str, inventory: str | None) -> Prover:
        """A host may have been named by itself: then no pattern has been asked about yet."""
        for (asked_of, _pattern), prover in self._provers.items():
            if asked_of == inventory and name in prover.connections:
                return prover
        if name not in self.hosts(name, inventory):
            raise BadRequest(f"{name} is no host's name: for the hosts of a pattern ask testinfra.get_hosts")
        return self._provers[inventory, name]

    def told(self) -> Told:
        """For another process of the same session; it holds passwords."""
        return [(inventory, pattern, prover.connections) for (inventory, pattern), prover in self._provers.items()]

    def hear(self, told: Told) -> None:
        for inventory, pattern, connections in told:
            self._provers[inventory, pattern] = Prover(connections, TIMEOUT)

    def close(self) -> None:
        for prover in self._provers.values():
            prover.close()


class SiteBackend(BaseBackend):  # type: ignore[misc]
    NAME = NAME
    reach = Reach()

    def __init__(
        self, host: str, ansible_inventory: str | None = None, timeout: str | None = None, **options: Any
    ) -> None:
        super().__init__(host, **options)
        self._encoding = "utf-8"
        self._inventory = ansible_inventory
        self._timeout = float(timeout) if timeout else TIMEOUT

    @classmethod
    def get_hosts(cls, host: str | None, **options: Any) -> list[str]:
        return cls.reach.hosts(host or "all", options.get("ansible_inventory"))

    def connect(self) -> None:
        """Raises HostUnreachable."""
        with self.reach.on(self.hostname, self._inventory) as agent:
            agent.backend.connect()

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Each command has its own time; a surprise is what testinfra makes of it."""
        command = self.get_command(command, *args)
        with self.reach.on(self.hostname, self._inventory) as agent:
            agent.backend.start_clock(self._timeout)
            done = agent.backend.run(command, timeout=self._timeout)
        return self.result(done.rc, self.encode(command), done.stdout_bytes, done.stderr_bytes)

    def decode(self, data: bytes) -> str:
        return data.decode("utf-8", "replace")

    def encode(self, data: str) -> bytes:
        return data.encode("utf-8", "surrogateescape")
