"""One process on the controller whose far end is an agent on a host; many commands go over it, one at a time."""

import os
import re
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from stopgap.verify import agent
from stopgap.verify.errors import CommandTimeout, ConnectionLost, HostUnreachable
from stopgap.verify.verdict import clean

CHUNK = 65536
GREETING_LIMIT = 1024 * 1024  # of what a login says before the agent does; each part of it is searched for prompts
GRACE = 5.0  # seconds a host may be late with saying that a command ran out of time
SSHPASS_EXITS = {5: "the ssh password was refused", 6: "the host key is not known"}


class Answer(NamedTuple):
    rc: int
    stdout: bytes
    stderr: bytes


class Channel:
    """`spec` is a connection of contracts.md §5. Made once the agent runs; raises HostUnreachable."""

    def __init__(self, spec: dict[str, Any], timeout: float, started: "Callable[[Channel], None] | None" = None):
        """`started` hears of it before it has answered."""
        self._spec = spec
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._errors = b""
        self._password_sent = False
        self._process = _start(spec)
        self._selector = selectors.DefaultSelector()
        self._selector.register(_fd(self._process.stdout), selectors.EVENT_READ, self._read_stdout)
        self._selector.register(_fd(self._process.stderr), selectors.EVENT_READ, self._read_stderr)
        try:
            if started:
                started(self)
            self._pump(self._greeted, timeout)
        except TimeoutError:
            self.close()
            raise HostUnreachable(f"no answer in {timeout:g} s") from None
        except (OSError, ValueError):
            self.close()
            raise
        del self._inbox[: self._inbox.find(agent.PROMPT) + len(agent.PROMPT)]
        self._outbox += agent.program()

    def call(self, command: str, stdin: str, timeout: float) -> Answer:
        """Runs `command` with the host's /bin/sh."""
        self._outbox += agent.request(command, stdin, timeout)
        end = timeout + GRACE
        try:
            self._pump(lambda: b"\n" in self._inbox, end)
            word, rc, sizes = header_of(self._take(self._inbox.find(b"\n") + 1))
            self._pump(lambda: len(self._inbox) >= sum(sizes), end)
        except TimeoutError:
            raise ConnectionLost(f"no answer in {end:g} s") from None
        return answer_of(word, Answer(rc, self._take(sizes[0]), self._take(sizes[1])), command, timeout)

    def hang_up(self) -> None:
        """For another thread, as `kill`: whoever waits for an answer hears that there will be none."""
        if self._process.stdin:
            self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """The agent ends with its standard input."""
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _pump(self, done: Callable[[], bool], timeout: float) -> None:
        """Moves bytes in all directions until `done`; TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not done():
            self._want_to_write(bool(self._outbox))
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in self._selector.select(left):
                key.data(key.fd)

    def _want_to_write(self, wanted: bool) -> None:
        fd = _fd(self._process.stdin)
        if wanted and fd not in self._selector.get_map():
            self._selector.register(fd, selectors.EVENT_WRITE, self._write)
        elif not wanted and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _write(self, fd: int) -> None:
        try:
            del self._outbox[: os.write(fd, self._outbox[:4096])]  # a ready pipe takes PIPE_BUF without blocking
        except BrokenPipeError:
            self._fail()

    def _read_stdout(self, fd: int) -> None:
        data = os.read(fd, CHUNK)
        if not data:
            self._fail()
        self._inbox += data
        if len(self._inbox) > 2 * agent.OUTPUT_LIMIT:
            raise ConnectionLost("the host sends more than an agent would")

    def _read_stderr(self, fd: int) -> None:
        data = os.read(fd, CHUNK)
        if not data:
            self._selector.unregister(fd)
        self._errors = (self._errors + data)[-4096:]

    def _take(self, size: int) -> bytes:
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        return data

    def _greeted(self) -> bool:
        if agent.PROMPT in self._inbox:
            return True
        if len(self._inbox) > GREETING_LIMIT:
            raise HostUnreachable("its login says more than anybody would read, and no agent answers")
        if prompt := self._spec.get("become_prompt"):
            self._answer_prompt(sum(_asked(prompt, bytes(said)) for said in (self._errors, self._inbox)))
        return False

    def _answer_prompt(self, asked: int) -> None:
        """sudo asks again after a wrong password, and would take our next line for the second try."""
        password = self._spec.get("become_password") or ""
        if asked and not password:
            raise HostUnreachable("a password is needed to become another user, and none is given")
        if asked > 1:
            raise HostUnreachable("the password to become another user was refused")
        if asked and not self._password_sent:
            self._password_sent = True
            self._outbox += password.encode() + b"\n"

    def _fail(self) -> None:
        """The far end is gone: says what it said last."""
        try:
            rc: int | None = self._process.wait(1)
            os.set_blocking(_fd(self._process.stderr), False)  # a master of ssh's may hold it open for long
            self._errors += os.read(_fd(self._process.stderr), CHUNK)
        except (subprocess.TimeoutExpired, OSError):
            rc = self._process.poll()
        lines = [line for line in self._errors.decode("utf-8", "replace").splitlines() if line.strip()]
        if _no_python(" ".join(lines), self._spec.get("python")):
            lines.append(f"there is no {self._spec['python']} on it: set ansible_python_interpreter")
        if self._spec.get("password") and rc in SSHPASS_EXITS:
            lines.append(SSHPASS_EXITS[rc])
        if self._spec.get("password") and not shutil.which("sshpass"):
            lines.append("a password is given for ssh, and sshpass is not installed here")
        raise ConnectionLost(clean("; ".join([*lines[-3:], f"exit {rc}"])))


def _asked(prompt: str, said: bytes) -> int:
    """How often it asks. A prompt starts a line or ends all that was said; su's is a word that a login may say, too."""
    text = said.decode("utf-8", "replace")
    found = [match.span() for match in re.finditer(prompt, text)]
    return sum(start == 0 or text[start - 1] in "\r\n" or not text[end:].strip(" ") for start, end in found)


def _start(spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    """A session of its own: without a terminal, ssh fails where it would ask."""
    argv, password = list(spec["argv"]), spec.get("password")
    read_end = -1
    if password and shutil.which("sshpass"):
        read_end, write_end = os.pipe()
        os.write(write_end, password.encode() + b"\n")
        os.close(write_end)
        prompt = ["-P", spec["password_prompt"]] if spec.get("password_prompt") else []
        argv = ["sshpass", f"-d{read_end}", *prompt, *argv]
    try:
        return subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[read_end] if read_end >= 0 else [],
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
        )
    except OSError as error:
        raise HostUnreachable(f"{argv[0]}: {error.strerror}") from None
    finally:
        if read_end >= 0:
            os.close(read_end)


def _no_python(said: str, python: str | None) -> bool:
    """As shells and sudo say it."""
    return bool(python) and str(python) in said and ("not found" in said or "No such file" in said)


def answer_of(word: str, answer: Answer, command: str, timeout: float) -> Answer:
    """Raises CommandTimeout or OSError where the agent's word is another than done."""
    if word == "done":
        return answer
    if word == "timeout":
        raise CommandTimeout(f"no end after {timeout:.3g} s: {command[:80]}")
    raise OSError("too much output" if word == "flood" else answer.stderr.decode("utf-8", "replace"))


def header_of(line: bytes) -> tuple[str, int, tuple[int, int]]:
    """Whatever is not an agent's header ends the connection: the bytes after it mean nothing."""
    match = re.fullmatch(rb"(done|timeout|flood|error) (\d{1,4}) (\d{1,9}) (\d{1,9})\n", line)
    if not match:
        raise ConnectionLost(f"not an agent's answer: {clean(line.decode('utf-8', 'replace'))[:80]}")
    return match[1].decode(), int(match[2]), (int(match[3]), int(match[4]))


def _fd(pipe: Any) -> int:
    return int(pipe.fileno())
