"""Ended by a signal, a command still cleans up."""

import signal
import subprocess
import sys

import pytest

CLEANS_UP = """
import signal, sys
from stopgap.cli.ending import cleaned_up
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
with cleaned_up():
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    finally:
        print("cleaning up", flush=True)
        sys.stdin.readline()
        print("clean", flush=True)
print("went on", flush=True)
"""


@pytest.fixture
def started():
    with subprocess.Popen(
        [sys.executable, "-c", CLEANS_UP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_it_cleans_up_and_says_what_ended_it(started):
    started.send_signal(signal.SIGTERM)
    assert started.stdout.readline() == "cleaning up\n"
    started.send_signal(signal.SIGTERM)  # a second one does not stop that
    assert started.communicate("\n")[0] == "clean\n"
    assert started.returncode == 128 + signal.SIGTERM


def test_what_was_ignored_stays_ignored(started):
    started.send_signal(signal.SIGHUP)
    assert started.communicate("\n\n")[0] == "cleaning up\nclean\nwent on\n"
    assert started.returncode == 0
