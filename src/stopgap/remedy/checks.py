"""What each check takes. A new type is one model and one line of CHECKS."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from stopgap.remedy.actions import ARCHIVES, Archives, Firewall
from stopgap.remedy.basis import OneOf, Question, Service, Strict, Sysctl
from stopgap.remedy.values import (
    PLAIN_NUMBER,
    AbsolutePath,
    AtLeast,
    Mode,
    ModuleName,
    Name,
    PackageName,
    ProcessName,
    Regex,
    Setting,
    SocketAddress,
    Text,
    TlsOffer,
    Unit,
    Url,
)
from stopgap.verify.daemons import DAEMONS


class PackageCheck(Strict):
    name: PackageName
    at_least: AtLeast = "fixed"


class ProcessesCheck(Strict):
    not_on_old_code: PackageName


class ProcessCheck(Strict):
    """Processes for which all that is given holds; `count` is exactly how many."""

    name: ProcessName | None = None
    user: Text | None = None
    args_match: Regex | None = None
    running: bool
    count: Annotated[int, Field(gt=0), PLAIN_NUMBER] | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.name is None and self.user is None and self.args_match is None:
            raise ValueError("does not say which processes; give one of: name, user, args_match")
        if self.count is not None and not self.running:
            raise ValueError("`count` needs `running: true`")
        return self


class SocketCheck(Strict):
    listening: bool
    address: SocketAddress


def _known_daemon(value: str) -> str:
    if value not in DAEMONS:
        raise ValueError(f"'{value}' is no daemon that is known here: {', '.join(DAEMONS)}")
    return value


KnownDaemon = Annotated[str, AfterValidator(_known_daemon), WithJsonSchema({"type": "string", "enum": list(DAEMONS)})]


class Conditions(OneOf):
    exists: bool | None = None
    has: Text | None = None
    lacks: Text | None = None
    matches: Regex | None = None
    lacks_match: Regex | None = None


Status = Annotated[int, Field(ge=100, le=599), PLAIN_NUMBER]
Header = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
Waiting = Literal["services", "sessions", "containers", "kernel", "microcode"]
Names = Annotated[list[Name], Field(min_length=1)]
Offers = Annotated[list[TlsOffer], Field(min_length=1)]


class HttpCheck(Strict):
    """A server of the host itself; with `address` the URL's name is not looked up. No proxy, no redirect."""

    url: Url
    address: Text | None = None
    status: Status | Annotated[list[Status], Field(min_length=1)] | None = None
    header: Annotated[dict[Header, Conditions], Field(min_length=1)] | None = None
    accepts: Offers | None = None
    refuses: Offers | None = None
    verify: bool = False
    timeout: Annotated[int, Field(gt=0, le=3600), PLAIN_NUMBER] = 10

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        of_tls = self.accepts or self.refuses or self.verify
        if self.status is None and self.header is None and not of_tls:
            raise ValueError("asks nothing; give one of: status, header, accepts, refuses, verify: true")
        if of_tls and not self.url.startswith("https:"):
            raise ValueError("`accepts`, `refuses` and `verify` are of TLS: the url has to begin with https://")
        return self


class ConfigCheck(Strict):
    """An option's value in force, as the daemon tells it."""

    daemon: KnownDaemon
    option: Text
    value: Setting | None = None
    exists: bool | None = None
    has: Text | None = None
    lacks: Text | None = None
    matches: Regex | None = None
    lacks_match: Regex | None = None
    scope: Annotated[dict[str, Text], Field(min_length=1)] | None = Field(default=None, alias="for")

    @model_validator(mode="after")
    def _is_known_there(self) -> Self:
        known = DAEMONS[self.daemon].scopes
        if unknown := [key for key in self.scope or {} if key not in known]:
            raise ValueError(f"`for` of {self.daemon} has no '{unknown[0]}' (keys there: {', '.join(known)})")
        asked = ("value", *Conditions.model_fields)
        if all(getattr(self, key) is None for key in asked):
            raise ValueError(f"asks nothing; give one of: {', '.join(asked)}")
        return self


class NeedrestartCheck(OneOf):
    """Nothing of these waits for a restart, and this unit does not, as needrestart is configured on the host."""

    nothing_of: Annotated[list[Waiting], Field(min_length=1)] | None = None
    unit: Unit | None = None


class FileCheck(OneOf):
    path: AbsolutePath
    exists: bool | None = None
    mode: Mode | None = None
    matches: Regex | None = None
    lacks_match: Regex | None = None


class KernelCheck(Strict):
    """The kernel that runs, not the one that is installed."""

    at_least: AtLeast = "fixed"


class KernelModuleCheck(OneOf):
    name: ModuleName
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
    options: Names | None = None
    lacks: Names | None = None


class UserCheck(OneOf):
    name: Name
    in_groups: Names | None = None
    not_in_groups: Names | None = None
    shell: AbsolutePath | None = None


CHECKS: Mapping[str, Any] = {
    "package": PackageCheck,
    "processes": ProcessesCheck,
    "process": ProcessCheck,
    "service": Service,
    "socket": SocketCheck,
    "http": HttpCheck,
    "config": ConfigCheck,
    "file": FileCheck,
    "command": Question,
    "sysctl": Sysctl,
    "kernel": KernelCheck,
    "kernel_module": KernelModuleCheck,
    "archive_member": ArchiveMemberCheck,
    "mount": MountCheck,
    "user": UserCheck,
    "firewall": Firewall,
    "needrestart": NeedrestartCheck,
}
