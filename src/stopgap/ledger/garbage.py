"""Python's search for cycles, put off while there can be none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_collected() -> Iterator[None]:
    """Events, folds and rows are trees. To look through all of them again and again, as they become more, takes a
    tenth of the time of a delivery.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
