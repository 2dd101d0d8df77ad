"""Where the lab keeps things: one folder per lab for its user, and run-time files shared by the whole machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stopgap.lab.errors import LabError
from stopgap.lab.machine import require_root

RUNTIME = Path("/run/stopgap-lab")
RECIPE = Path(__file__).parent / "recipe"


def state_root() -> Path:
    """$STOPGAP_LAB_DIR, else the user's state folder."""
    if chosen := os.environ.get("STOPGAP_LAB_DIR"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "stopgap" / "lab"


def private_dir(path: Path) -> Path:
    """Raises LabError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}: STOPGAP_LAB_DIR names the folder of labs") from None
    return path


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one step, never readable by others on the way."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w") as stream:
        stream.write(text)
    part.replace(path)


@contextmanager
def machine_lock(name: str) -> Iterator[None]:
    """Held by one process or thread of this machine at a time. Raises LabError where we are not root, whose it is."""
    require_root()
    private_dir(RUNTIME)
    with (RUNTIME / f"{name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
