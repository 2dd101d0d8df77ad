"""What advisories call a distribution, as remedies call it. A table: one line adds one."""

import re

PATTERNS = (
    # OSV ecosystems
    (re.compile(r"^Debian:(\d+)"), "debian-{}"),
    (re.compile(r"^Ubuntu:(\d\d\.\d\d)"), "ubuntu-{}"),
    (re.compile(r"^(?:AlmaLinux|Rocky Linux):(\d+)"), "el-{}"),
    (re.compile(r"^Red Hat:rhel_\w+:[^:]*::el(\d+)"), "el-{}"),  # made for a release, and numbered apart from it
    (re.compile(r"^Red Hat:(?:enterprise_linux|rhel_\w+):(\d+)"), "el-{}"),
    (re.compile(r"^openSUSE:Leap (\d+)"), "opensuse-leap-{}"),
    (re.compile(r"^SUSE:Linux Enterprise Server (\d+)"), "sles-{}"),
    (re.compile(r"^Fedora:(\d+)"), "fedora-{}"),
    # CPEs of CSAF platforms
    (re.compile(r"redhat:rhel_\w+:[^:]*::el(\d+)"), "el-{}"),
    (re.compile(r"redhat:(?:enterprise_linux|rhel_\w+):(\d+)"), "el-{}"),
    (re.compile(r"debian:debian_linux:(\d+)"), "debian-{}"),
    (re.compile(r"canonical:ubuntu_linux:(\d\d\.\d\d)"), "ubuntu-{}"),
    (re.compile(r"suse:sles:(\d+)"), "sles-{}"),
    (re.compile(r"opensuse:leap:(\d+)"), "opensuse-leap-{}"),
    (re.compile(r"(?:almalinux:almalinux|rocky:rocky(?:_?linux)?):(\d+)"), "el-{}"),
    # names in words
    (re.compile(r"Red Hat Enterprise Linux(?: [A-Z][A-Za-z ]*)? \(?(?:v\. )?(\d+)"), "el-{}"),
    (re.compile(r"(?:AlmaLinux|Rocky Linux)(?: OS)? (\d+)"), "el-{}"),
    (re.compile(r"Debian(?: GNU/Linux)? (\d+)"), "debian-{}"),
    (re.compile(r"Ubuntu (\d\d\.\d\d)"), "ubuntu-{}"),
    (re.compile(r"SUSE Linux Enterprise Server (\d+)"), "sles-{}"),
    (re.compile(r"openSUSE Leap (\d+)"), "opensuse-leap-{}"),
)
# What a purl's `distro` says.
CODENAMES = {
    "jessie": "debian-8", "stretch": "debian-9", "buster": "debian-10", "bullseye": "debian-11",
    "bookworm": "debian-12", "trixie": "debian-13", "bionic": "ubuntu-18.04", "focal": "ubuntu-20.04",
    "jammy": "ubuntu-22.04", "noble": "ubuntu-24.04",
}  # fmt: skip
SUBSCRIPTION = re.compile(r"^Ubuntu:Pro\b")


def distro_of(*names: str | None) -> str | None:
    """The first of these names that is a distribution we know."""
    for name in names:
        if name in CODENAMES:
            return CODENAMES[name]
        for pattern, key in PATTERNS:
            if name and (found := pattern.search(name)):
                return key.format(found[1])
    return None
