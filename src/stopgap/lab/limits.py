"""The one setting of the machine that the lab changes: how many inotify instances root may have.

Each systemd host takes about ten, and the kernel's default of 128 ends at the thirteenth host, which then starts
without an error that says so. The value from before is kept and put back by `prune`.
"""

from pathlib import Path

from stopgap.lab.errors import LabError
from stopgap.lab.paths import RUNTIME, machine_lock

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH = 16384
BEFORE = "inotify-before"


def raise_limits(setting: Path = INSTANCES, runtime: Path = RUNTIME) -> None:
    with machine_lock("limits"):
        now = int(setting.read_text())
        if now >= ENOUGH:
            return
        try:
            setting.write_text(f"{ENOUGH}\n")
        except OSError as error:
            raise LabError(
                f"Hosts need fs.inotify.max_user_instances of {ENOUGH}, set it with sysctl ({error})"
            ) from None
        (runtime / BEFORE).write_text(f"{now}\n")


def restore_limits(setting: Path = INSTANCES, runtime: Path = RUNTIME) -> None:
    with machine_lock("limits"):
        before = runtime / BEFORE
        if before.exists():
            setting.write_text(before.read_text())
            before.unlink()
