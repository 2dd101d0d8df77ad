"""What a host is asked to be, and what a running one is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from stopgap.lab.errors import LabError

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
SUITE = re.compile(r"[a-z]+")
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True)
class HostSpec:
    """A host to make: its name, its Debian release, and what is installed on it beside the base."""

    name: str
    suite: str
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "packages", tuple(sorted(set(self.packages))))
        check_name(self.name, "host")
        if not SUITE.fullmatch(self.suite):
            raise LabError(f"{self.suite!r} is no Debian release: give a codename such as bookworm")
        if self.name == self.suite:
            raise LabError(f"A host may not be named {self.name}: its inventory group is; choose another name")
        for package in self.packages:
            if not PACKAGE.fullmatch(package):
                raise LabError(f"{package!r} is no package name: give names as apt knows them, separated by commas")

    @classmethod
    def parse(cls, text: str) -> "HostSpec":
        """`web1=bookworm:nginx,openssl`"""
        name, equals, rest = text.partition("=")
        if not equals:
            raise LabError(f"{text!r} is no host: write NAME=SUITE or NAME=SUITE:PACKAGE,PACKAGE")
        suite, _, packages = rest.partition(":")
        return cls(name, suite, tuple(word for word in packages.split(",") if word))

    def __str__(self) -> str:
        return f"{self.name}={self.suite}" + (f":{','.join(self.packages)}" if self.packages else "")


@dataclass(frozen=True)
class Host:
    """A host that exists. `state` is podman's word: running, paused, exited, created."""

    name: str
    suite: str
    address: str
    container: str
    packages: tuple[str, ...] = field(default=())
    state: str = "created"


def check_name(name: str, kind: str) -> None:
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no {kind} name: use lower-case letters, digits and hyphens, a letter first")


def expand(specs: Iterable[HostSpec], count: int) -> list[HostSpec]:
    """`n` with count 3 becomes n1, n2, n3; a count of 0 leaves the names as they are."""
    if count == 0:
        return list(specs)
    return [HostSpec(f"{spec.name}{n}", spec.suite, spec.packages) for spec in specs for n in range(1, count + 1)]


def require_unique(specs: Iterable[HostSpec]) -> None:
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise LabError(f"Host {spec.name} is named twice: give every host a name of its own")
        seen.add(spec.name)
