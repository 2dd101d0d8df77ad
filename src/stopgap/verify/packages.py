"""A host's installed packages and their order of versions, by its own package manager.

What the answers mean is the collection's own code, so that what acts and what proves cannot disagree.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from stopgap.collection import shared_code
from stopgap.verify.backend import AgentHost
from stopgap.verify.errors import Surprise

DPKG_QUERY = (
    r"dpkg-query -W -f '${db:Status-Status}\t${source:Package}\t${source:Version}\t${Version}\t"
    r"${Package}:${Architecture}\n' -- %s"
)
DPKG_DISTROS = ("debian", "ubuntu")
RPM_DISTROS = ("el", "fedora", "amzn", "sles", "opensuse-leap")
ABSENT = ("not-installed", "config-files")
# Triggers run after a package's own files are in place and configured.
INSTALLED = ("installed", "triggers-awaited", "triggers-pending")


class Installed(NamedTuple):
    name: str
    version: str


class Family(NamedTuple):
    """`installed` lists every architecture of a name; `compare` gives -1, 0 or 1."""

    installed: Callable[[AgentHost, str], list[Installed]]
    compare: Callable[[AgentHost, str, str], int]


def family(host: AgentHost) -> Family:
    """By the distribution; one that nobody knows by the tool that is there."""
    named = distro(host).rpartition("-")[0]
    if named in RPM_DISTROS:
        return RPM
    if named in DPKG_DISTROS or host.exists("dpkg-query"):
        return DPKG
    if host.exists("rpm"):
        return RPM
    raise Surprise("this host has neither dpkg-query nor rpm: its packages cannot be read")


def distro(host: AgentHost) -> str:
    fields = {"ID": host.system_info.distribution or "", "VERSION_ID": host.system_info.release or ""}
    key = shared_code("system").distro_key(fields)
    if key is None:
        raise Surprise("os-release names no distribution and version")
    return str(key)


def dpkg_installed(host: AgentHost, package: str) -> list[Installed]:
    """All architectures. testinfra's `is_installed` is wrong where two of them are installed."""
    out = host.run_expect([0, 1], DPKG_QUERY, package)
    source_version = shared_code("packages/debver").source_version
    found = []
    for line in out.stdout.splitlines():
        status, *versions, full_name = line.split("\t")
        if status in INSTALLED:
            found.append(Installed(full_name, source_version(*versions)))
        elif status not in ABSENT:
            raise Surprise(f"{full_name} is {status}: repair it first")
    return found


def dpkg_compare(host: AgentHost, left: str, right: str) -> int:
    """Asked of the host's dpkg, and so a second opinion on the collection's own order."""
    for word, result in (("lt", -1), ("eq", 0)):
        out = host.run_expect([0, 1], f"dpkg --compare-versions %s {word} %s", left, right)
        if out.stderr.strip():  # dpkg compares what is no version too, and only warns
            raise Surprise(out.stderr.strip())
        if out.rc == 0:
            return result
    return 1


def rpm_installed(host: AgentHost, package: str) -> list[Installed]:
    """All architectures; of what lies side by side, as kernels do, the newest."""
    nevra = shared_code("packages/nevra")
    out = host.run_expect([0, 1], "rpm -q --qf %s -- %s", nevra.FORMAT, package)
    if "error:" in out.stderr:  # it says 1 and "is not installed" where it could not read its database, too
        raise Surprise(out.stderr.strip())
    pairs = [nevra.read_fact(line) for line in out.stdout.splitlines() if "\t" in line]
    facts = nevra.newest_first([pair for pair in pairs if pair[0]["name"] == package])
    for fact in facts:
        if fact["broken"]:
            raise Surprise(f"{fact['name']} {fact['version']} is {fact['broken']}: repair it first")
    return [Installed(f"{fact['name']}.{fact['arch']}", fact["version"]) for fact in facts if not fact["superseded"]]


def rpm_compare(host: AgentHost, left: str, right: str) -> int:
    return int(shared_code("packages/nevra").compare(left, right))


DPKG = Family(dpkg_installed, dpkg_compare)
RPM = Family(rpm_installed, rpm_compare)


def meets(host: AgentHost, version: str, fixes: list[str]) -> tuple[bool, str]:
    """(is it fixed, the fixed version that applies), where a release has several valid ones."""
    compare = cache(partial(family(host).compare, host))  # the same pair is wanted more than once
    fixed, required = shared_code("streams").meets(version, fixes, compare)
    return bool(fixed), str(required)
