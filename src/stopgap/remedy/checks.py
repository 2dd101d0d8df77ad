"""What each check takes. A new type is one model and one line of CHECKS."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from stopgap.remedy.actions import ARCHIVES, Archives, Firewall, Name
from stopgap.remedy.basis import OneOf, Question, Service, Strict, Sysctl
from stopgap.remedy.values import AbsolutePath, Mode, Regex, Text


class PackageCheck(Strict):
    name: Text
    at_least: Text = "fixed"


class ProcessesCheck(Strict):
    not_on_old_code: Text


class SocketCheck(Strict):
    listening: bool
    address: Annotated[str, StringConstraints(pattern=r"^(tcp|udp|unix)://.+$")]


class FileCheck(OneOf):
    path: AbsolutePath
    exists: bool | None = None
    mode: Mode | None = None
    matches: Regex | None = None
    lacks_match: Regex | None = None


class KernelCheck(Strict):
    """The kernel that runs, not the one that is installed."""

    at_least: Text = "fixed"


class KernelModuleCheck(OneOf):
    name: Name
    loadable: bool | None = None
    loaded: bool | None = None


class ArchiveMemberCheck(Strict):
    """Whether any matching archive below `paths`, nested ones too, has the member."""

    paths: Annotated[list[AbsolutePath], Field(min_length=1)]
    member: Text
    archives: Archives = ARCHIVES
    found: bool = False


class MountCheck(OneOf):
    path: AbsolutePath
    options: list[Name] | None = None
    lacks: list[Name] | None = None


class UserCheck(OneOf):
    name: Name
    in_groups: list[Name] | None = None
    not_in_groups: list[Name] | None = None
    shell: AbsolutePath | None = None


CHECKS: Mapping[str, Any] = {
    "package": PackageCheck,
    "processes": ProcessesCheck,
    "service": Service,
    "socket": SocketCheck,
    "file": FileCheck,
    "command": Question,
    "sysctl": Sysctl,
    "kernel": KernelCheck,
    "kernel_module": KernelModuleCheck,
    "archive_member": ArchiveMemberCheck,
    "mount": MountCheck,
    "user": UserCheck,
    "firewall": Firewall,
}
