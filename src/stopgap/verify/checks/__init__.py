"""The check types. A new one is a file here and a line below: `check(host, params, context) -> Verdict`.

`name(params)` is what stands after the type in a check's id; ROWS are its lines in docs/reference/checks.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from stopgap.verify.backend import AgentHost
from stopgap.verify.checks import (
    archive_member,
    attestation,
    command,
    config,
    file,
    firewall,
    http,
    kernel,
    kernel_module,
    mount,
    needrestart,
    package,
    process,
    processes,
    service,
    socket,
    sysctl,
    user,
)
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict


class CheckType(NamedTuple):
    check: Callable[[AgentHost, Any, Context], Verdict]
    name: Callable[[Any], str]
    rows: tuple[Row, ...]


# In the order of the table.
CHECKS: dict[str, CheckType] = {
    "package": CheckType(package.check, package.name, package.ROWS),
    "processes": CheckType(processes.check, processes.name, processes.ROWS),
    "process": CheckType(process.check, process.name, process.ROWS),
    "service": CheckType(service.check, service.name, service.ROWS),
    "socket": CheckType(socket.check, socket.name, socket.ROWS),
    "http": CheckType(http.check, http.name, http.ROWS),
    "config": CheckType(config.check, config.name, config.ROWS),
    "file": CheckType(file.check, file.name, file.ROWS),
    "command": CheckType(command.check, command.name, command.ROWS),
    "sysctl": CheckType(sysctl.check, sysctl.name, sysctl.ROWS),
    "mount": CheckType(mount.check, mount.name, mount.ROWS),
    "user": CheckType(user.check, user.name, user.ROWS),
    "kernel": CheckType(kernel.check, kernel.name, kernel.ROWS),
    "kernel_module": CheckType(kernel_module.check, kernel_module.name, kernel_module.ROWS),
    "archive_member": CheckType(archive_member.check, archive_member.name, archive_member.ROWS),
    "firewall": CheckType(firewall.check, firewall.name, firewall.ROWS),
    "needrestart": CheckType(needrestart.check, needrestart.name, needrestart.ROWS),
    "attestation": CheckType(attestation.check, attestation.name, attestation.ROWS),
}
