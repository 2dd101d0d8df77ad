"""testinfra over a Channel: its own modules run unchanged on it."""

import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from stopgap.verify.channel import Answer, Channel
from stopgap.verify.errors import CommandTimeout, ConnectionLost, HostUnreachable, Surprise
from stopgap.verify.verdict import clean

if TYPE_CHECKING:
    from stopgap.verify.relay import Relay

SLOWER = 4  # times as long as elsewhere a check may take where each command is an `ansible` of its own


class AgentBackend(BaseBackend):  # type: ignore[misc]
    """One connection, opened at the first command, opened again once if it drops. Not for two threads at a time."""

    NAME = "stopgap"

    def __init__(self, name: str, spec: dict[str, Any], timeout: float):
        super().__init__(name)
        self._encoding = "utf-8"
        self._spec = spec
        self._timeout = timeout * (SLOWER if "ansible" in spec else 1)
        self._channel: Channel | Relay | None = None
        self._begun: Channel | Relay | None = None  # the latest, which may still wait for its host
        self._reopened = False
        self._unreachable: HostUnreachable | None = None
        self.start_clock()

    @property
    def python(self) -> str:
        """The command line of the host's Python."""
        return shlex.join(shlex.split(self._spec["python"]))

    @property
    def is_reachable(self) -> bool:
        """As far as anybody has found out."""
        return self._unreachable is None

    def start_clock(self, seconds: float = 0.0) -> None:
        """A check starts: its commands together have `timeout` seconds, or so many; the link may drop once."""
        self._deadline = time.monotonic() + (seconds or self._timeout)
        self._reopened = False

    def connect(self) -> "Channel | Relay":
        if self._unreachable:
            raise self._unreachable
        if self._channel is None:
            try:
                if "error" in self._spec:
                    raise HostUnreachable(self._spec["error"])
                self._channel = _open(self._spec, self._timeout, self._begin)
            except HostUnreachable as error:
                self._unreachable = error
                raise
        return self._channel

    def close(self) -> None:
        if self._channel:
            self._channel.close()
            self._channel = None

    def _begin(self, channel: "Channel | Relay") -> None:
        self._begun = channel
        if self._unreachable:  # by now
            raise self._unreachable

    def hang_up(self) -> None:
        """For another thread: whoever asks the host ends soon, and it is asked no more."""
        self._unreachable = HostUnreachable("not asked any more")
        if self._begun:
            self._begun.hang_up()

    def kill(self) -> None:
        """For another thread, after `hang_up`, where the host does not hear."""
        if self._begun:
            self._begun.kill()

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """`stdin` (text) and `timeout` (seconds) may be given; what testinfra passes besides is not needed here."""
        command = self.get_command(command, *args)  # within `host.sudo()` another one
        answer = self._call(command, kwargs.get("stdin") or "", kwargs.get("timeout") or self._timeout)
        return self.result(answer.rc, self.encode(command), answer.stdout, answer.stderr)

    def _call(self, command: str, stdin: str, timeout: float) -> Answer:
        left = min(timeout, self._deadline - time.monotonic())
        if left <= 0:
            raise CommandTimeout(f"no verdict in {self._timeout:g} s")
        try:
            return self.connect().call(command, stdin, left)
        except ConnectionLost as error:
            self.close()
            if self._reopened:
                self._unreachable = error
                raise
            self._reopened = True
        return self._call(command, stdin, timeout)

    def decode(self, data: bytes) -> str:
        return data.decode("utf-8", "replace")

    def encode(self, data: str) -> bytes:
        return data.encode("utf-8", "surrogateescape")


class AgentHost(Host):  # type: ignore[misc]
    """testinfra's `host`; a surprise has a type of its own, so that it is never taken for a failed assertion."""

    has_command_v = True  # the agent's shell is a POSIX one; testinfra would ask each host

    def run_expect(self, expected: list[int], command: str, *args: str, **kwargs: Any) -> CommandResult:
        out = self.run(command, *args, **kwargs)
        if out.rc not in expected:
            said = out.stderr.strip() or out.stdout.strip() or "no output"
            raise Surprise(clean(f"{self.backend.quote(command, *args)}: exit {out.rc}: {said}"))
        return out

    def check_output(self, command: str, *args: str, **kwargs: Any) -> str:
        return self.run_expect([0], command, *args, **kwargs).stdout.rstrip("\r\n")  # type: ignore[no-any-return]


def _open(spec: dict[str, Any], timeout: float, started: Callable[["Channel | Relay"], None]) -> "Channel | Relay":
    if "ansible" not in spec:
        return Channel(spec, timeout, started)
    from stopgap.verify.relay import Relay  # for few, and nothing that the others need

    return Relay(spec, timeout, started)


def open_host(name: str, spec: dict[str, Any], timeout: float) -> AgentHost:
    backend = AgentBackend(name, spec, timeout)
    host = AgentHost(backend)
    backend.set_host(host)
    return host
