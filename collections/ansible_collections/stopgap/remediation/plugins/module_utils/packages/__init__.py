# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The package manager of this host. A family is a line in FAMILIES: who knows the packages, who installs them,
who knows their configuration files."""

import collections
import os

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import apt, conffiles, dpkg

# facts: installed, compare, unfinished, siblings; installer: update, candidates, install, simulate;
# conffiles: of, report, still_edited
Family = collections.namedtuple("Family", "facts installer conffiles")
FAMILIES = {"/var/lib/dpkg/status": Family(dpkg, apt, conffiles)}  # by what lies on the host


class NoFamily(StopgapError, LookupError):
    """This host's package manager is none that we know."""


def family():
    for mark, found in FAMILIES.items():
        if os.path.exists(mark):
            return found
    raise NoFamily(f"no package manager known here (looked for {', '.join(FAMILIES)})")
