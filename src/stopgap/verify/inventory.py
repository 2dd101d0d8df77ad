"""The connections that Ansible would make, told by Ansible itself: the same that `stopgap verify` uses."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from stopgap.engine.memory import memory_folder
from stopgap.engine.run import environment
from stopgap.verify.errors import BadRequest

ACTION = "stopgap.remediation.connections"


def ask_ansible(pattern: str, inventory: str | None) -> dict[str, dict[str, Any]]:
    """{HOST: CONNECTION of contracts.md §5} for the hosts of the pattern. Raises BadRequest.

    The answer holds passwords: it comes in a file that only we may read, in memory where the system has such a place,
    never on a command line or in anything printed.
    """
    with tempfile.TemporaryDirectory(prefix="stopgap-", dir=memory_folder()) as private:
        answer = Path(private, "connections.json")
        source = ["-i", inventory] if inventory else []
        words = ["ansible", *source, "--become", "-m", ACTION, "-a", json.dumps({"path": str(answer)}), "--", pattern]
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
            raise BadRequest(f"ansible could not be started: {error.strerror}") from None
        if not answer.exists():
            raise BadRequest(_why(pattern, done))
        return json.loads(answer.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _why(pattern: str, done: subprocess.CompletedProcess[str]) -> str:
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
    if done.returncode == 0:
        return f"the inventory gives no host for ansible://{pattern} ('ansible-inventory --list' shows what is read)"
    return f"ansible could not tell how to reach ansible://{pattern}: {said or f'exit {done.returncode}'}"
