"""The only file that runs podman."""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from stopgap.lab import namespace
from stopgap.lab.command import Result, run
from stopgap.lab.machine import find_podman, inspect_machine, require_root, require_tools

# Without CAP_SYS_RESOURCE no limit can be raised: hosts take these instead of podman's own.
FIXED_LIMITS = ("--ulimit=nofile=1024:20000", "--ulimit=nproc=10000:10000")


@dataclass(frozen=True)
class Container:
    name: str
    state: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """Podman as it has to be called on this machine."""

    program: str = "podman"
    prefix: tuple[str, ...] = ()
    run_options: tuple[str, ...] = ()

    def podman(
        self, *args: str, stdin: str | bytes | None = None, check: bool = True, timeout: float | None = None
    ) -> Result:
        return run([*self.prefix, self.program, *args], stdin=stdin, check=check, timeout=timeout)

    def containers(self, label: str) -> list[Container]:
        """Containers in any state that carry `label` (`key` or `key=value`)."""
        rows = self._json("ps", "--all", f"--filter=label={label}", "--format=json")
        return [Container(row["Names"][0], row["State"], row["Labels"] or {}) for row in rows]

    def pid(self, container: str) -> int:
        return int(self.podman("inspect", "--format={{.State.Pid}}", container).stdout)

    def has_image(self, image: str) -> bool:
        return self.podman("image", "exists", image, check=False).returncode == 0

    def images(self, repository: str) -> list[dict[str, Any]]:
        return self._json("images", f"--filter=reference={repository}", "--format=json")

    def networks(self) -> list[dict[str, Any]]:
        names = self.podman("network", "ls", "--format={{.Name}}").stdout.split()
        return self._json("network", "inspect", *names) if names else []

    def _json(self, *args: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.podman(*args).stdout or "[]")
        return found


@cache
def detect_engine() -> Engine:
    """Look at the machine once, and set up what podman needs on it."""
    require_root()
    require_tools()
    machine = inspect_machine()
    program = find_podman()
    options = FIXED_LIMITS if machine.limits_fixed else ()
    if not machine.hybrid_cgroups:
        return Engine(program, (), options)
    return Engine(program, tuple(namespace.entered()), (*options, f"--cgroup-parent={namespace.CGROUP_PARENT}"))
