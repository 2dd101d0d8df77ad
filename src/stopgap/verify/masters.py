"""Ansible finds a host's warm connection by address, port and user. Behind two jump hosts those may be two machines."""

from collections.abc import Mapping
from typing import Any

Connection = dict[str, Any]
ALONE = ["-o", "ControlPath=none"]  # ssh takes the first word on a matter


def keep_apart(connections: Mapping[str, Connection]) -> dict[str, Connection]:
    """Connections of contracts.md §5. Hosts that would share one and are reached in different ways do without."""
    ways: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for told in connections.values():
        if master := _master(told):
            ways.setdefault(master, set()).add(tuple(told["argv"][:-1]))
    shared = {master for master, found in ways.items() if len(found) > 1}
    return {host: _alone(told) if _master(told) in shared else told for host, told in connections.items()}


def _master(told: Connection) -> tuple[str, str] | None:
    """What tells one socket from another: a path of ssh's own tokens (%h, %C) stands for several."""
    argv = told.get("argv") or []
    path = next((word for word in argv[:-1] if "ControlPath=" in word), None)
    return path and (path, argv[-2] if "%" in path else "")


def _alone(told: Connection) -> Connection:
    program, *words = told["argv"]
    return told | {"argv": [program, *ALONE, *words]}
