"""The agent: what runs on the host for as long as it is verified (Python 3.6+, standard library, nothing written).

A connection is an argv that ends in `python3 -IS -c BOOTSTRAP` on the host: -I since the folder where a login begins is
no place to import from, -S since nothing is wanted from there. BOOTSTRAP has no line break, backslash or
single quote, so every login shell passes it on unharmed. It prints PROMPT; the controller answers with one line of
Python, the agent. From then on each request is one line, a Python tuple, each answer a line `WORD RC STDOUT-LENGTH
STDERR-LENGTH` and the raw bytes.
"""

import shlex
from functools import lru_cache

PROMPT = b"stopgap> "
# plugin_utils/connections.py has the same two; a test compares them
BOOTSTRAP = 'exec(input("stopgap> "))'
FLAGS = "-IS"

# More than a check can want and less than hurts a small host.
OUTPUT_LIMIT = 32 * 1024 * 1024

# A shell has these itself, and other ones than the programs of the same name. Its own words that are no program at all
# need not be here: what cannot be started goes to the shell.
OF_THE_SHELL = frozenset(("[", "command", "echo", "kill", "printf", "pwd", "test", "time"))

# Python's start is most of what the agent costs a host: it does without `site` (-S), `os` (posix is built in) and
# subprocess, which would cost as much again.
SOURCE = r"""
import _signal, posix as os, select, sys, time

env = dict(os.environ)
env.update({b"LC_ALL": b"C", b"PATH": env.get(b"PATH", b"/usr/bin:/bin") + b":/usr/local/sbin:/usr/sbin:/sbin"})
os.putenv(b"PATH", env[b"PATH"])  # posix_spawnp looks here
started = []

def start(command, words, streams):
    argv = ["/bin/sh", "-c", command.encode("utf-8", "surrogateescape")]
    moves = [(getattr(os, "POSIX_SPAWN_DUP2", 0), stream, number) for number, stream in enumerate(streams)]
    how = {"file_actions": moves, "setsid": True, "setsigdef": (_signal.SIGPIPE, _signal.SIGXFSZ)}
    try:
        if words:
            try:
                words = [word.encode("utf-8", "surrogateescape") for word in words]
                return os.posix_spawnp(words[0], words, env, **how)
            except OSError:
                pass  # the shell says what is wrong with it
        return os.posix_spawn(argv[0], argv, env, **how)
    except (AttributeError, NotImplementedError):  # before Python 3.8, before glibc 2.26
        import subprocess
        process = subprocess.Popen(argv, env=env, start_new_session=True, stdin=streams[0], stdout=streams[1],
                                   stderr=streams[2])
        started.append(process)  # collected as garbage it would take the exit code with it
        return process.pid

def collect(ours, data, got, end):
    waiting = select.poll()
    for stream in got:
        waiting.register(stream, select.POLLIN)
    waiting.register(ours[0], select.POLLOUT)
    if hasattr(sys.stdin, "buffer"):  # a real one
        waiting.register(0, 0)  # its end is told unasked
    reading = len(got)
    while reading:
        if time.monotonic() >= end:
            return "timeout"
        for stream, _ in waiting.poll(1 + 1000 * max(0, end - time.monotonic())):
            if stream in got:
                piece = os.read(stream, 65536)
                got[stream] += piece
                done = not piece
                reading -= done
            elif not stream:
                return "gone"
            else:
                try:
                    data = data[os.write(stream, data[:4096]):]  # a ready pipe takes as much without blocking
                    done = not data
                except OSError:
                    done = True  # the command did not want it all
                if done:
                    os.close(ours.pop(0))
            if done:
                waiting.unregister(stream)
        if sum(map(len, got.values())) > LIMIT:
            return "flood"
    return "done"

# Its status, None if it goes on: with its output closed, or since no signal ends it.
def ended(pid, end):
    pause = 0.0001
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        if time.monotonic() >= end:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.05)

def run(command, words, stdin, timeout):
    ours, theirs, end = [], [], time.monotonic() + timeout
    try:
        for number in range(3):
            read, write = os.pipe()
            ours.append(read if number else write)
            theirs.append(write if number else read)
        pid = start(command, words, theirs)
        while theirs:
            os.close(theirs.pop())
        out, err = bytearray(), bytearray()
        data = memoryview(stdin.encode("utf-8", "surrogateescape"))
        word = collect(ours, data, {ours[1]: out, ours[2]: err}, end)
        status = ended(pid, end) if word == "done" else None
        if status is None:
            word = "timeout" if word == "done" else word
            os.killpg(pid, 9)
            if word == "gone":
                os._exit(0)
            del out[:], err[:]
            status = ended(pid, time.monotonic() + 1) or 0
    finally:
        for one in ours + theirs:
            os.close(one)
    return word, 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), out, err

for line in iter(sys.stdin.readline, ""):
    try:
        word, rc, out, err = run(*eval(line))
    except OSError as error:
        word, rc, out, err = "error", 0, b"", str(error).encode("utf-8", "replace")
    sys.stdout.buffer.write(("%s %d %d %d\n" % (word, rc, len(out), len(err))).encode() + out + err)
    sys.stdout.buffer.flush()
"""


def program() -> bytes:
    """The agent as the single ASCII line that BOOTSTRAP reads; it ends at once, without Python's tidying up."""
    return one_line() + b"; os._exit(0)\n"


def one_line() -> bytes:
    """The agent without its end: it goes on until its standard input ends."""
    return f"exec({SOURCE.replace('LIMIT', str(OUTPUT_LIMIT))!a})".encode("ascii")


def request(command: str, stdin: str, timeout: float) -> bytes:
    """The line that asks it to run `command`."""
    return f"{(command, plain_words(command), stdin, timeout)!a}\n".encode("ascii")


@lru_cache(1024)  # the hosts are asked the same
def plain_words(command: str) -> tuple[str, ...] | None:
    """The words of a command that a shell would only split: the agent starts it without one, which is half as dear.

    None where there is anything to expand, and where the shell has such a command of its own.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    plain = words and shlex.join(words) == command and "=" not in words[0] and words[0] not in OF_THE_SHELL
    return tuple(words) if plain else None
