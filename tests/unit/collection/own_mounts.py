"""Real mounts for a test, in a mount namespace of its own, which ends with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def played(source, *arguments):
    """What the Python source prints as JSON; `sys.argv` has the arguments."""
    play = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", source, *arguments],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(TOP), *sys.path])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert play.returncode == 0, play.stderr
    return json.loads(play.stdout)
