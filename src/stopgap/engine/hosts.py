"""Which hosts an inventory has, told by Ansible itself."""

import os
import subprocess

from stopgap.engine.environment import environment
from stopgap.engine.model import EngineError, RunRequest

INDENT = "    "  # before each host's name


def hosts_of(request: RunRequest) -> list[str]:
    """Those that the request's inventory and limit name, without asking one of them. Raises EngineError."""
    words = ["ansible", "all", "--list-hosts"]
    words += [word for source in request.inventory for word in ("-i", source)]
    words += ["-l", request.limit] if request.limit else []
    try:
        done = subprocess.run(
            words,
            env=os.environ | environment(os.environ) | {"ANSIBLE_VERBOSITY": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise EngineError(f"ansible could not be started: {error.strerror}") from None
    if done.returncode:
        raise EngineError((done.stderr or done.stdout).strip() or f"ansible ended with exit code {done.returncode}")
    return [line.removeprefix(INDENT) for line in done.stdout.splitlines() if line.startswith(INDENT)]
