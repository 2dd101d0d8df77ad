"""A real agent on this machine, read-only."""

import sys

import pytest

from stopgap.verify.agent import BOOTSTRAP, FLAGS
from stopgap.verify.backend import open_host

LOCAL = {"argv": [sys.executable, FLAGS, "-c", BOOTSTRAP], "python": sys.executable}


@pytest.fixture
def local():
    return dict(LOCAL)


@pytest.fixture
def host():
    host = open_host("here", LOCAL, 10)
    yield host
    host.backend.close()


@pytest.fixture
def fake_tool(host, tmp_path, monkeypatch):
    """Puts a script in front of a tool, on a host of its own."""
    opened = []

    def put(**scripts):
        for name, script in scripts.items():
            (tmp_path / name.replace("_", "-")).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name.replace("_", "-")).chmod(0o755)
        spec = host.backend._spec
        argv = ["/usr/bin/env", f"PATH={tmp_path}:/usr/bin:/bin:/usr/sbin:/sbin", *spec["argv"]]
        opened.append(open_host("fake", {**spec, "argv": argv}, 10))
        return opened[-1]

    yield put
    for one in opened:
        one.backend.close()
