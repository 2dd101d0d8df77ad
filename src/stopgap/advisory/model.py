"""What is taken from an advisory, whatever its format."""

import re
from dataclasses import dataclass, field


class AdvisoryError(ValueError):
    """The file is no advisory that can be used for this; the text says why."""


@dataclass
class Fixes:
    """One binary package (or a source package, where the advisory names no other): where it is fixed, and where not."""

    fixed: dict[str, list[str]] = field(default_factory=dict)  # distro -> versions
    not_affected: set[str] = field(default_factory=set)
    unfixed: set[str] = field(default_factory=set)
    introduced: dict[str, set[str]] = field(default_factory=dict)  # distro -> versions; "0": from the first one on
    is_source: bool = False

    def add(self, distro: str, version: str) -> None:
        versions = self.fixed.setdefault(distro, [])
        if version not in versions:
            versions.append(version)


@dataclass
class Advisory:
    """`names` are the vulnerabilities it is about, `remarks` the vendor's words on what to do, as (what, text);
    `doubts` what keeps it from closing the CVE.
    """

    id: str
    names: list[str]
    title: str = ""
    published: str = ""
    references: list[str] = field(default_factory=list)
    cvss: list[str] = field(default_factory=list)
    packages: dict[str, Fixes] = field(default_factory=dict)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def package(self, name: str) -> Fixes:
        return self.packages.setdefault(name, Fixes())


CVE = re.compile(r"CVE-\d{4}-\d{4,}")
# Packages that hold no running code, or none that a host has for its own sake.
NOISE = re.compile(r"(-debuginfo|-debugsource|-dbgsym|-dbg|-devel|-dev|-docs?|-static|-tests?|-javadoc|-src)$")
NONE_THERE = re.compile(
    r"(?i)\b(not available|no (known |other )?(workarounds?|mitigations?)|there (is|are) no"
    r"|none (is |are )?(known|available)|not meet .{0,40}criteria)\b"
    r"|^\s*(none|n/?a)\.?\s*$"
)


def as_id(name: str) -> str:
    """A vendor's name as a remedy's id has it, which names a file: RHSA-2024:4312 is RHSA-2024-4312."""
    return name.replace(":", "-")


def says_there_is_none(text: str) -> bool:
    """A field that is there is no mitigation: vendors write into it that none exists."""
    return bool(NONE_THERE.search(text))
