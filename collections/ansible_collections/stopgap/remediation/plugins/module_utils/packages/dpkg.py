# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What dpkg knows: installed packages, their order of versions, their conffiles."""

from ansible_collections.stopgap.remediation.plugins.module_utils import system
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import debver
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import read

FIELDS = (
    "Package",
    "Architecture",
    "db:Status-Want",
    "db:Status-Eflag",
    "db:Status-Status",
    "Version",
    "source:Package",
    "source:Version",
)
FORMAT = "\\t".join("${%s}" % field for field in FIELDS) + "\\n"
BROKEN = ("half-installed", "half-configured", "unpacked")
ABSENT = ("not-installed", "config-files")

compare = debver.compare
source_version = debver.source_version


def installed(names):
    """{name: [{"name", "arch", "version", "source", "source_version", "broken", "held"}]}, one per architecture.

    One call for all names; a name that dpkg does not have installed has an empty list.
    """
    facts = {name: [] for name in names}
    if facts:
        # 1: some name is not known to dpkg, which is an answer
        for line in read(["dpkg-query", "-W", "-f", FORMAT] + sorted(facts), rcs=(0, 1)).splitlines():
            fact = read_fact(line)
            if fact:
                facts[fact["name"]].append(fact)
    return facts


def read_fact(line):
    """One line of dpkg-query; None for a package that is not there."""
    name, arch, want, flag, status, version, source, sourced = line.split("\t")
    if status in ABSENT:
        return None
    return {
        "name": name,
        "arch": arch,
        "version": version,
        "source": source,
        "source_version": source_version(source, sourced, version),
        "broken": status if status in BROKEN else (flag if flag != "ok" else None),
        "held": want == "hold",
    }


def siblings(sources):
    """Installed packages built from any of `sources`: a daemon's conffiles often lie in its -common package."""
    return sorted({name for source, status, name in everything() if source in sources and status not in ABSENT})


def unfinished():
    """Packages that an earlier run left half-way; the next apt-get would finish them unasked."""
    return [f"{name} is {status}" for _source, status, name in everything() if status in BROKEN]


def running_kernel():
    """The package version of the kernel that runs, or None where it does not tell."""
    return system.running_kernel_version()


def everything():
    fields = "${source:Package}\\t${db:Status-Status}\\t${Package}\\n"
    return [line.split("\t") for line in read(["dpkg-query", "-W", "-f", fields]).splitlines()]
