"""Small file systems that a fault can fill."""

import errno
import os
import subprocess
from pathlib import Path

PAGE = 4096
FILLER = "filler"


def mount(folder: Path, size: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Lazily: a killed process may still be on its way out."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, pages_left: int) -> None:
    """Take all space but so many pages of 4096 bytes."""
    with open(folder / FILLER, "ab") as file:
        try:
            while True:
                os.write(file.fileno(), bytes(PAGE))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        file.truncate(max(0, os.fstat(file.fileno()).st_size - pages_left * PAGE))


def make_room(folder: Path) -> None:
    (folder / FILLER).unlink(missing_ok=True)
