# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What rpm knows: installed packages and their order of versions.

A version is EPOCH:VERSION-RELEASE with an epoch of 0 left out, as advisories write it. They name the binary's, and
binaries of one source can differ (pam_ssh_agent_auth of openssh), so `source_version` is the binary's here too.
"""

import glob

from ansible_collections.stopgap.remediation.plugins.module_utils import command, system
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import rpmholds
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.nevra import (
    FORMAT,
    SHORT_FORMAT,
    compare,
    join,
    newest_first,
    read_fact,
    version_key,
)
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import read

__all__ = ["compare", "installed", "join", "running_kernel", "siblings", "unfinished", "version_key"]
YUM_LEFT = "/var/lib/yum/transaction-all*"  # what yum-complete-transaction would go on with


def installed(names):
    """{name: [{"name", "arch", "version", "source", "source_version", "broken", "held", "superseded"}]}.

    One call for all names, the newest first. Every version of what is kept side by side is listed, the older ones
    as superseded; two versions of anything else are what an interrupted transaction leaves.
    """
    found = {name: [] for name in names}
    for line in query(FORMAT, sorted(found)) if found else []:
        fact, several = read_fact(line)
        if fact["name"] in found:
            found[fact["name"]].append((fact, several))
    locks = rpmholds.locks()
    return {name: [held_fact(fact, locks) for fact in newest_first(pairs)] for name, pairs in found.items()}


def query(form, names):
    """The lines for those names that are installed. rpm's exit code counts the others; an error is on stderr alone."""
    output = command.execute(["rpm", "-q", "--qf", form, "--"] + names, timeout=60)
    if "error:" in output.stderr:
        raise Surprise(f"rpm -q: {command.excerpt(output)}")
    return [line for line in output.stdout.splitlines() if "\t" in line]


def held_fact(fact, locks):
    return dict(fact, held=any(lock.holds(fact) for lock in locks))


def best_of(offered):
    """Candidates out of {name: {version: architectures}}: the newest; where a name is installed for several
    architectures, the newest that there is for all of them."""
    facts, found = installed(sorted(offered)), {}
    for name, versions in offered.items():
        arches = {fact["arch"] for fact in facts[name]}
        whole = [version for version, there in versions.items() if arches <= there or "noarch" in there]
        version = max(whole or versions, key=version_key)
        found[name] = {"version": version, "source_version": version}
    return found


def siblings(sources):
    """Installed packages built from any of `sources`."""
    return sorted({fact["name"] for fact in everything() if fact["source"] in sources})


def unfinished():
    """What an interrupted transaction left: packages in two versions, yum's list of what it had not done."""
    seen = {}
    for fact in everything():
        seen.setdefault((fact["name"], fact["arch"]), []).append(fact["version"])
    twice = sorted({name for (name, arch), versions in seen.items() if len(versions) > 1 and arch != "(none)"})
    kept = installed(twice)
    left = [
        f"{fact['name']} {fact['version']} is {fact['broken']}"
        for name in twice
        for fact in kept[name]
        if fact["broken"]
    ]
    return left + [f"{path} lists what yum did not finish" for path in sorted(glob.glob(YUM_LEFT))]


def everything():
    return [read_fact(line)[0] for line in read(["rpm", "-qa", "--qf", SHORT_FORMAT]).splitlines() if "\t" in line]


def running_kernel():
    """The version of the package that the running kernel's own file belongs to, or None where none says so."""
    return system.rpm_kernel_version()
