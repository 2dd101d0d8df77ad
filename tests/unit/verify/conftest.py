"""A real agent on this machine, read-only."""

import sys

import pytest

from stopgap.verify.agent import BOOTSTRAP
from stopgap.verify.backend import open_host

LOCAL = {"argv": [sys.executable, "-c", BOOTSTRAP], "python": sys.executable}


@pytest.fixture
def local():
    return dict(LOCAL)


@pytest.fixture
def host():
    host = open_host("here", LOCAL, 10)
    yield host
    host.backend.close()
