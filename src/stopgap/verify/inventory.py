"""The connections that Ansible would make, told by Ansible itself: the same that `stopgap verify` uses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stopgap.engine.environment import environment
from stopgap.engine.memory import PrivateFolder
from stopgap.verify.errors import BadRequest
from stopgap.verify.masters import keep_apart

ACTION = "stopgap.remediation.connections"
UNREAD = "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"


def ask_ansible(pattern: str, inventory: str | None) -> dict[str, dict[str, Any]]:
    """{HOST: CONNECTION of contracts.md §5} for the hosts of the pattern. Raises BadRequest."""
    return Asked(pattern, inventory).answer()


class Asked:
    """An `ansible` in the background that is asked for the connections to the hosts of a pattern. Raises BadRequest.

    The answer holds passwords: it comes in a file that only we may read, in memory where the system has such a place,
    never on a command line or in anything printed. `strict`: each name of the pattern has to be one of the inventory's.
    """

    def __init__(self, pattern: str, inventory: str | None, strict: bool = False):
        self._pattern = pattern
        self._private = PrivateFolder()
        self._file = Path(self._private.name, "connections.json")
        source = ["-i", inventory] if inventory else []
        words = [
            "ansible",
            *source,
            "--become",
            "-m",
            ACTION,
            "-a",
            json.dumps({"path": str(self._file)}),
            "--",
            pattern,
        ]
        own = {"ANSIBLE_VERBOSITY": "0", "ANSIBLE_STRATEGY": "linear"}  # free asks for each host by itself
        own |= {"ANSIBLE_HOST_PATTERN_MISMATCH": "error"} if strict else {}
        own |= {UNREAD: os.environ.get(UNREAD, "True")}  # hosts that nobody asked would not be missed
        try:
            self._process = subprocess.Popen(
                words,
                env=os.environ | environment(os.environ) | own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self._private.cleanup()
            raise BadRequest(f"ansible could not be started: {error.strerror}") from None

    def answer(self) -> dict[str, dict[str, Any]]:
        """Waits for it. To be called once."""
        try:
            printed = "".join(self._process.communicate())
            with self._file.open(encoding="utf-8") as file:
                return keep_apart(dict(map(_lean, json.load(file).items())))
        except (FileNotFoundError, json.JSONDecodeError):  # nothing is written, or it ended amid it
            raise BadRequest(self._why(printed)) from None
        finally:
            self.drop()

    def drop(self) -> None:
        """Nobody wants to know any more."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate()
        self._private.cleanup()

    def _why(self, printed: str) -> str:
        said = "\n".join(printed.strip().splitlines()[-5:])
        if self._process.returncode == 0:
            return (
                f"the inventory gives no host for ansible://{self._pattern} "
                "('ansible-inventory --list' shows what is read)"
            )
        told = said or f"exit {self._process.returncode}"
        return f"ansible could not tell how to reach ansible://{self._pattern}: {told}"


def _lean(told: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Most words of a command line are those of all other hosts: they are kept once."""
    host, connection = told
    if "argv" in connection:
        connection["argv"] = list(map(sys.intern, connection["argv"]))
    return host, connection
