"""What this machine is: what podman needs here, and whether it is there."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stopgap.lab.errors import LabError

CAP_SYS_RESOURCE = 1 << 24

WRAPPER_MARK = b"# podman as the lab runs it"

# Program -> Debian package that brings it.
TOOLS = {
    "podman": "podman",
    "crun": "crun",
    "mmdebstrap": "mmdebstrap",
    "sshpass": "sshpass",  # hosts whose log-in asks for a password
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "apt-config": "apt",
}


@dataclass(frozen=True)
class Machine:
    """A laptop has neither trait; a small virtual machine or a CI runner may have both."""

    hybrid_cgroups: bool
    limits_fixed: bool


def inspect_machine(mountinfo: str | None = None, status: str | None = None) -> Machine:
    """Read what the kernel says of this process (`mountinfo` and `status` as in /proc/self)."""
    mountinfo = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    status = Path("/proc/self/status").read_text() if status is None else status
    return Machine(hybrid_cgroups=not _is_pure_v2(mountinfo), limits_fixed=not _capabilities(status) & CAP_SYS_RESOURCE)


def _is_pure_v2(mountinfo: str) -> bool:
    types = [
        line.split(" - ", 1)[1].split()[0] for line in mountinfo.splitlines() if line.split()[4] == "/sys/fs/cgroup"
    ]
    return types[-1:] == ["cgroup2"]


def _capabilities(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def find_podman(path: str | None = None) -> str:
    """Podman itself: a lab's wrapper of the same name may stand before it on PATH, and would call itself."""
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        program = Path(folder) / "podman"
        if os.access(program, os.X_OK) and WRAPPER_MARK not in program.read_bytes()[:200]:
            return str(program)
    raise LabError("podman is not installed: run `stopgap lab setup`")


def missing_packages() -> list[str]:
    return sorted({package for program, package in TOOLS.items() if shutil.which(program) is None})


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("The lab needs root, to give its hosts addresses of their own: run the same command with sudo")


def require_tools() -> None:
    if missing := missing_packages():
        raise LabError(f"The lab needs {', '.join(missing)}: run `stopgap lab setup`")
