"""What each action takes. A new type is one model and one line of ACTIONS."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from stopgap.remedy.basis import Command, OneOf, Question, Service, Strict, Sysctl
from stopgap.remedy.values import AbsolutePath, Argv, Mode, ModuleName, Name, Network, Ports, Regex, Setting, Text

Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\r\n\x00]+$")]
Archives = Annotated[list[Text], Field(min_length=1)]
ARCHIVES = ["*.jar", "*.war", "*.ear"]
TASK_FILES = ("check", "apply", "revert")


class SysctlAction(Sysctl):
    file: AbsolutePath | None = None


class FileMode(Strict):
    path: AbsolutePath
    mode: Mode
    owner: Text | None = None
    group: Text | None = None


class File(OneOf):
    """A whole file that is ours, one that shall not be there, or one that nobody may change (`immutable`)."""

    path: AbsolutePath
    content: str | None = None
    absent: Literal[True] | None = None
    immutable: bool | None = None
    mode: Mode | None = None
    validate_with: Argv | None = Field(default=None, alias="validate")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.absent and (self.content is not None or self.immutable is not None):
            raise ValueError("a file that is absent has no content and cannot be immutable")
        if self.content is None and (self.mode or self.validate_with):
            raise ValueError("`mode` and `validate` go with `content`; for a mode alone there is file_mode")
        return self


class LineAction(Strict):
    """`line` in place of every line that matches, or none of those lines with `absent`."""

    path: AbsolutePath
    match: Regex | None = None
    line: Line | None = None
    absent: Literal[True] | None = None
    after: Regex | None = None  # where a line goes that nothing matched: after the last that matches this, else the end
    validate_with: Argv | None = Field(default=None, alias="validate")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.absent) == bool(self.line):
            raise ValueError("give `line`: what shall stand there, or `absent: true` with `match`: what shall not")
        if self.absent and not self.match:
            raise ValueError("`absent: true` needs `match`: which lines shall go")
        return self


class IniOption(Strict):
    path: AbsolutePath
    section: Line | None = None  # None: before the first section
    option: Line
    value: Setting | None = None
    absent: Literal[True] | None = None
    validate_with: Argv | None = Field(default=None, alias="validate")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.absent) == (self.value is not None):
            raise ValueError("give `value`, or `absent: true`")
        return self


class SshdOption(Strict):
    name: Text
    value: Setting


class KernelModule(Strict):
    name: ModuleName
    blacklist: bool = True  # not loaded by alias
    install_false: bool = True  # nor by name or as a dependency
    unload: bool = True  # nor left loaded now


class Package(OneOf):
    """Held as it is, removed, or set (back) to one version and held there."""

    name: Name
    held: bool | None = None
    removed: Literal[True] | None = None
    version: Text | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.removed and (self.version or self.held):
            raise ValueError("a package that is removed can be neither held nor at a version")
        return self


class Firewall(Strict):
    """New connections to a port, or from a source, are dropped; established ones go on."""

    protocol: Literal["tcp", "udp"] | None = None
    port: Ports | None = None
    source: Network | None = None
    except_from: list[Network] = []

    @model_validator(mode="after")
    def _closes_something(self) -> Self:
        if self.port is None and self.source is None:
            raise ValueError("closes nothing: give `port` with `protocol`, or `source`")
        if (self.port is None) != (self.protocol is None):
            raise ValueError("`port` and `protocol` go together")
        return self


class ArchiveMember(Strict):
    """`member` is taken out of every matching archive below `paths`, nested ones too."""

    paths: Annotated[list[AbsolutePath], Field(min_length=1)]
    member: Text
    archives: Archives = ARCHIVES


class UserSetting(OneOf):
    user: Name
    in_groups: list[Name] | None = None
    not_in_groups: list[Name] | None = None
    shell: AbsolutePath | None = None
    sudoers: Line | None = None  # one rule, in a drop-in of its own that visudo has accepted


class MountOption(Strict):
    """Options a mounted file system has, now and in fstab."""

    path: AbsolutePath
    options: Annotated[list[Name], Field(min_length=1)]


class CommandAction(Strict):
    check: Question
    apply: Command
    revert: Command


class Tasks(Strict):
    """Ansible task files, relative to the remedy's own folder."""

    apply: Text
    revert: Text
    check: Text | None = None  # sets the fact stopgap_in_force, true or false
    vars: dict[str, Any] = {}


ACTIONS: Mapping[str, Any] = {
    "service": Service,
    "sysctl": SysctlAction,
    "file_mode": FileMode,
    "file": File,
    "line": LineAction,
    "ini_option": IniOption,
    "sshd_option": SshdOption,
    "kernel_module": KernelModule,
    "package": Package,
    "firewall": Firewall,
    "archive_member": ArchiveMember,
    "user_setting": UserSetting,
    "mount_option": MountOption,
    "command": CommandAction,
    "tasks": Tasks,
}
