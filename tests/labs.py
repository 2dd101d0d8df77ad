"""Labs that tests make for themselves."""

import os
from contextlib import contextmanager

from stopgap.lab import Lab


@contextmanager
def lab_of(purpose, *hosts):
    """Of this process alone, since two runs at once must not meet; gone at the end, however that comes."""
    lab = Lab(f"{purpose}-{os.getpid()}")
    lab.down()  # that of a process which was killed and had the same number
    try:
        yield lab.up(hosts) if hosts else lab
    finally:
        lab.down()
