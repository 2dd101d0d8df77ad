"""The main job on real hosts: what `make demo` tells is true, and its terminal says what an operator needs."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.lab


def test_the_story_ends_with_clean_books():
    command = [sys.executable, "-m", "stopgap", "demo", "--name", f"story{os.getpid()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "candidate 1.22.1-9+deb12u9 < required 1.22.1-9+deb12u11" in done.stdout
    assert "web-team" in done.stdout
    assert "debt 0, orphans 0" in done.stdout
