"""A mount namespace with a pure cgroup v2 tree, for machines whose own tree is hybrid, which crun refuses.

The namespace is pinned to a file, so it needs no process to keep it alive, and every process of this machine that runs
podman for a lab enters the same one. The machine's own tree stays as it is.
"""

from pathlib import Path

from stopgap.lab.command import run
from stopgap.lab.paths import RUNTIME, machine_lock, private_dir

PIN = RUNTIME / "namespace" / "mnt"
CGROUP_PARENT = "/lab"


def entered() -> list[str]:
    """The words before a command that runs it inside; makes the namespace first where it is missing."""
    with machine_lock("namespace"):
        if not _is_pinned():
            _pin()
    return ["nsenter", f"--mount={PIN}", "--"]


def drop() -> None:
    """Let the namespace go; nothing may be running in it."""
    with machine_lock("namespace"):
        if _is_pinned():
            run(["umount", str(PIN)])
        if _is_mounted(PIN.parent):
            run(["umount", str(PIN.parent)])


def _pin() -> None:
    folder = private_dir(PIN.parent)
    if not _is_mounted(folder):
        run(["mount", "--bind", str(folder), str(folder)])
    run(["mount", "--make-private", str(folder)])
    PIN.touch()
    make_tree = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"
    run(["unshare", f"--mount={PIN}", "--propagation=private", "sh", "-c", make_tree])


def _is_pinned() -> bool:
    return any(line.split()[4] == str(PIN) and " - nsfs " in line for line in _mounts())


def _is_mounted(path: Path) -> bool:
    return any(line.split()[4] == str(path) for line in _mounts())


def _mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()
