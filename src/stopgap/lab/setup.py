"""Installing what the lab needs on this machine."""

import os
import shutil
import subprocess

from stopgap.lab.errors import LabError
from stopgap.lab.machine import missing_packages, require_root


def install_missing() -> list[str]:
    """Install what is missing with apt, and say what that was."""
    missing = missing_packages()
    if not missing:
        return []
    if shutil.which("apt-get") is None:
        raise LabError(f"The lab needs {', '.join(missing)}: install them with your system's package manager")
    require_root()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing, "debian-archive-keyring"]
    for command in (["apt-get", "update", "--quiet"], install):
        if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            raise LabError(f"`{' '.join(command)}` failed: install {', '.join(missing)} by hand")
    return missing
