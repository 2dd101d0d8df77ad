"""Waiting until a host is one: systemd has finished starting, and ssh lets its user in."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stopgap.lab.command import run
from stopgap.lab.errors import LabError
from stopgap.lab.hosts import Host

UP = ("running", "degraded")
PAUSE = 0.3
TIMEOUT = 300.0


def wait_ready(ssh_config: Path, hosts: Sequence[Host], timeout: float = TIMEOUT) -> None:
    with ThreadPoolExecutor(max(1, min(32, len(hosts)))) as pool:
        list(pool.map(lambda host: _wait_host(ssh_config, host, timeout), hosts))


def _wait_host(ssh_config: Path, host: Host, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    said = "no answer on port 22"
    while (left := deadline - time.monotonic()) > 0:
        if greets(host.address):  # an ssh process is dear, and there may be many hosts to ask
            said = _ask(ssh_config, host.name, left)
            if said in UP:
                return
        time.sleep(PAUSE)
    raise LabError(
        f"Host {host.name} was not ready within {timeout:g} s ({said}): "
        "look inside with `stopgap lab exec`, or remove the lab and make it again"
    )


def greets(address: str, port: int = 22) -> bool:
    """Does a ssh server answer there?"""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _ask(ssh_config: Path, host: str, left: float) -> str:
    """One word of systemd's, or what ssh said."""
    options = ["-F", str(ssh_config), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    try:
        result = run(["ssh", *options, host, "systemctl is-system-running --wait"], check=False, timeout=left)
    except LabError as error:
        return str(error)
    return result.stdout.strip() or result.stderr.strip()
