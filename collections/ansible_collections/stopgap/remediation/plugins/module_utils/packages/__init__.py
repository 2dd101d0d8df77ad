# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The package manager of this host. A family is a line in FAMILIES: who knows the packages, who installs them,
who knows their configuration files."""

import collections
import os

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import (
    apt,
    conffiles,
    debs,
    dnf,
    dpkg,
    past,
    rpm,
    rpmfiles,
    zypper,
)

# facts: installed, compare, unfinished, siblings, running_kernel
# installer: update, candidates, pinned, spec, install, simulate; MEND and RELEASE tell people what to run themselves
# conffiles: of, report, still_edited, OLD
# keeping: hold, unhold, is_auto, mark_auto, fetch, prove_obtainable, prove_removable, remove, prove_settable, set_version,
#   install_file, units, choices, choose: single packages as action `package` wants them; None where nobody has written it yet
# past: moves, where, put_back
# distros and marks say whose it is: os-release first, then what lies on the host
Family = collections.namedtuple("Family", "facts installer conffiles keeping past distros marks")
FAMILIES = {
    "apt": Family(dpkg, apt, conffiles, debs, past.APT, ("debian", "ubuntu"), ("/var/lib/dpkg/status",)),
    "dnf": Family(rpm, dnf, rpmfiles, None, past.DNF, ("el", "fedora", "amzn"), ("/usr/bin/dnf", "/usr/bin/yum")),
    "zypper": Family(rpm, zypper, rpmfiles, None, past.ZYPPER, ("sles", "opensuse-leap"), ("/usr/bin/zypper",)),
}


class NoFamily(StopgapError, LookupError):
    """This host's package manager is none that we know."""


def family(distro=None):
    """The family of `distro` (`el-9`), or else of what lies here: other distributions are built on these."""
    named = (distro or "").rpartition("-")[0]
    for found in FAMILIES.values():
        if named in found.distros:
            return found
    for found in FAMILIES.values():
        if any(os.path.exists(mark) for mark in found.marks):
            return found
    marks = [mark for found in FAMILIES.values() for mark in found.marks]
    raise NoFamily(f"no package manager known here (looked for {', '.join(marks)})")
