"""Where a private folder is made for what must not reach a disk."""

import os


def memory_folder() -> str | None:
    """In memory, where the system has such a place; None: wherever temporary files go."""
    places = (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")  # noqa: S108 - a 0700 folder is made in it
    return next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), None)
