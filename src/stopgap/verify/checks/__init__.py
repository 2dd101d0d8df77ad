"""The check types. A new one is a file here and a line below: `check(host, params, context) -> Verdict`.

`name(params)` is what stands after the type in a check's id.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from stopgap.verify.backend import AgentHost
from stopgap.verify.checks import (
    archive_member,
    attestation,
    command,
    file,
    firewall,
    kernel,
    kernel_module,
    mount,
    package,
    processes,
    service,
    socket,
    sysctl,
    user,
)
from stopgap.verify.context import Context
from stopgap.verify.verdict import Verdict


class CheckType(NamedTuple):
    check: Callable[[AgentHost, Any, Context], Verdict]
    name: Callable[[Any], str]


CHECKS: dict[str, CheckType] = {
    "attestation": CheckType(attestation.check, attestation.name),
    "archive_member": CheckType(archive_member.check, archive_member.name),
    "command": CheckType(command.check, command.name),
    "file": CheckType(file.check, file.name),
    "firewall": CheckType(firewall.check, firewall.name),
    "kernel": CheckType(kernel.check, kernel.name),
    "kernel_module": CheckType(kernel_module.check, kernel_module.name),
    "mount": CheckType(mount.check, mount.name),
    "package": CheckType(package.check, package.name),
    "processes": CheckType(processes.check, processes.name),
    "service": CheckType(service.check, service.name),
    "socket": CheckType(socket.check, socket.name),
    "sysctl": CheckType(sysctl.check, sysctl.name),
    "user": CheckType(user.check, user.name),
}
