# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The package manager of this host. A family is one file here and one line in FAMILIES."""
import os

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import dpkg

# what lies on a host of the family → its module: installed(names), compare(a, b), …
FAMILIES = {"/var/lib/dpkg/status": dpkg}



class NoFamily(StopgapError, LookupError):
    """This host's package manager is none that we know."""


def family():
    for mark, module in FAMILIES.items():
        if os.path.exists(mark):
            return module
    raise NoFamily(f"no package manager known here (looked for {', '.join(FAMILIES)})")
