"""Waiting until a host is one: systemd has finished starting, and ssh lets its user in."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stopgap.lab.command import run
from stopgap.lab.errors import LabError

UP = ("running", "degraded")
PAUSE = 0.2


def wait_ready(ssh_config: Path, hosts: Sequence[str], timeout: float = 120) -> None:
    with ThreadPoolExecutor(max(1, min(32, len(hosts)))) as pool:
        list(pool.map(lambda host: _wait_host(ssh_config, host, timeout), hosts))


def _wait_host(ssh_config: Path, host: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    said = ""
    while (left := deadline - time.monotonic()) > 0:
        said = _ask(ssh_config, host, left)
        if said in UP:
            return
        time.sleep(PAUSE)
    raise LabError(
        f"Host {host} was not ready within {timeout:g} s (last answer: {said or 'none'}): "
        f"look inside with `stopgap lab exec`, or remove the lab and make it again"
    )


def _ask(ssh_config: Path, host: str, left: float) -> str:
    """One word of systemd's, or what ssh said."""
    options = ["-F", str(ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR"]
    try:
        result = run(["ssh", *options, host, "systemctl is-system-running --wait"], check=False, timeout=left)
    except LabError as error:
        return str(error)
    return result.stdout.strip() or result.stderr.strip()
