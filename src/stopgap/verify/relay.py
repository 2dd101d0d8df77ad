"""Where no command line reaches a host (paramiko_ssh, and whatever plugins there are): Ansible itself, once a command.

About a second each, as with testinfra's own `ansible` backend. That one is not used: it has no time limit, takes its
commands for templates, and reads answers from `ansible --tree`, which ansible-core takes away. The agent runs here as
well, for one request at a time, so that exit codes, bytes and time limits are what they are everywhere else.
"""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stopgap.engine.memory import PrivateFolder
from stopgap.verify import agent
from stopgap.verify.channel import Answer, answer_of, header_of
from stopgap.verify.errors import ConnectionLost, HostUnreachable
from stopgap.verify.verdict import clean

PATIENCE = 30.0  # seconds, besides the command's own: Ansible starts, connects, becomes another user
ALIAS = "host"  # its name in the inventory; where it really is, ansible_host says
ANSWER = re.compile(rb"stopgap\[([A-Za-z0-9+/=]*)\]stopgap")
TEMPLATE = re.compile("[{}%]")
CAUSE = "<<< caused by >>>"
# No brace and no percent sign: Ansible takes arguments for templates. No quote that a shell could end at.
ONCE = (
    "import base64,io,sys,zlib;p,r=[zlib.decompress(base64.b64decode(a)) for a in sys.argv[1:]];o=sys.stdout;"
    "sys.stdin=io.StringIO(r.decode());sys.stdout=io.TextIOWrapper(io.BytesIO());exec(p.decode());"
    'o.write("stop"+"gap["+base64.b64encode(sys.stdout.buffer.getvalue()).decode()+"]stop"+"gap")'
)


class Relay:
    """Has what a Channel has. `spec` is a connection of contracts.md §5 with `ansible`; raises HostUnreachable."""

    def __init__(self, spec: dict[str, Any], timeout: float, started: "Callable[[Relay], None] | None" = None):
        if TEMPLATE.search(spec["python"]):  # where Ansible looks for it, the host says what it is called
            raise HostUnreachable(f"{clean(spec['python'])} is no Python: set ansible_python_interpreter")
        self._python = shlex.join(shlex.split(spec["python"]))
        self._folder = PrivateFolder()
        self._variables = Path(self._folder.name, "variables.yml")  # only we may look into that folder
        self._variables.write_text(as_yaml(spec["ansible"]), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if started:
                started(self)
            self.call("true", "", timeout)
        except ConnectionLost as error:
            self.close()
            raise HostUnreachable(str(error)) from None

    def call(self, command: str, stdin: str, timeout: float) -> Answer:
        """Runs `command` with the host's /bin/sh."""
        words = [packed(agent.one_line()), packed(agent.request(command, stdin, timeout))]
        raw = f"{self._python} -I -c '{ONCE}' {' '.join(words)}"
        said = self._ansible(raw, timeout + PATIENCE)
        found = ANSWER.search(said)
        if not found:
            raise ConnectionLost(why(said))
        head, _newline, data = base64.b64decode(found[1]).partition(b"\n")
        word, rc, (size, _rest) = header_of(head + b"\n")
        return answer_of(word, Answer(rc, data[:size], data[size:]), command, timeout)

    def hang_up(self) -> None:
        """See Channel. Ansible ends with its workers and their ssh."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        self._folder.cleanup()

    def _ansible(self, raw: str, timeout: float) -> bytes:
        words = [
            "ansible",
            "-i",
            f"{ALIAS},",
            "-e",
            f"@{self._variables}",
            "-m",
            "ansible.builtin.raw",
            "-a",
            raw,
            ALIAS,
        ]
        try:
            process = self._process = subprocess.Popen(
                words,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ConnectionLost(f"ansible could not be started: {error.strerror}") from None
        with process:
            try:
                return process.communicate(timeout=timeout)[0]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise ConnectionLost(f"no answer in {timeout:g} s") from None


def packed(line: bytes) -> str:
    return base64.b64encode(zlib.compress(line)).decode()


def environment() -> dict[str, str]:
    """The `ansible` beside our Python, saying as little as it can."""
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    quiet = {"ANSIBLE_VERBOSITY": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "0"}
    return os.environ | quiet | {"PATH": found, "ANSIBLE_FORCE_COLOR": "0"}


def as_yaml(variables: dict[str, Any]) -> str:
    """A file of variables in which no text is a template."""
    return "".join(f"{json.dumps(name)}: {_plain(value)}\n" for name, value in variables.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    told = json.dumps(value, ensure_ascii=False)
    return f"!unsafe {told}" if isinstance(value, str) else told


def why(said: bytes) -> str:
    """What Ansible printed, without the name under which it knows the host."""
    text = said.decode("utf-8", "replace")
    if told := re.search(r'"msg": (".*")', text):
        try:
            text = json.loads(told[1])
        except ValueError:
            text = told[1]
    text = text.rpartition(CAUSE)[2].strip() or text  # before it stands the task with all its arguments
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("[WARNING]", f"{ALIAS} | "))]
    lines = list(dict.fromkeys(line.removeprefix("Task failed: ") for line in lines))
    return clean("; ".join(lines[-3:]) or "Ansible said nothing")
