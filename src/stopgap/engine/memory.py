"""A private folder for what must not reach a disk, and the end of those that a killed process left."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "stopgap-"
YOUNG = 60  # seconds; a folder just made may not be held yet


def memory_folder() -> str | None:
    """In memory, where the system has such a place; None: wherever temporary files go."""
    places = (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")  # noqa: S108 - a 0700 folder is made in it
    return next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), None)


class PrivateFolder:
    """A folder of mode 0700, in memory where there is such a place. `name` is its path; `cleanup` ends it.

    Its lock ends with our process, however that ends. Whoever makes the next folder removes those that nobody holds.
    """

    def __init__(self) -> None:
        place = memory_folder()
        if place:
            _sweep(Path(place))
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=place)
        self.name = self._folder.name
        self._held = _hold(Path(self.name))

    def __enter__(self) -> str:
        return self.name

    def __exit__(self, *_error: object) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        self._folder.cleanup()
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _hold(folder: Path) -> int | None:
    """Its open descriptor; None where somebody else holds it, or nobody can."""
    with suppress(OSError):
        found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(found)
            raise
        return found
    return None


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        if _is_old_and_ours(folder) and (held := _hold(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _is_old_and_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and time.time() - found.st_mtime > YOUNG
