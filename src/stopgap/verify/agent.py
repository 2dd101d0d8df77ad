"""The agent: what runs on the host for as long as it is verified (Python 3.6+, standard library, nothing written).

A connection is an argv that ends in `python3 -c BOOTSTRAP` on the host. BOOTSTRAP has no line break, backslash or
single quote, so every login shell passes it on unharmed. It prints PROMPT; the controller answers with one line of
Python, the agent. From then on each request is one line of JSON, each answer a line `WORD RC STDOUT-LENGTH
STDERR-LENGTH` and the raw bytes.
"""

PROMPT = b"stopgap> "
BOOTSTRAP = 'exec(input("stopgap> "))'  # plugin_utils/connections.py has the same text; a test compares them

# More than a check can want and less than hurts a small host.
OUTPUT_LIMIT = 32 * 1024 * 1024

SOURCE = r"""
import json, os, selectors, signal, subprocess, sys, threading, time

env = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin")

def feed(pipe, data):
    try:
        with pipe:
            pipe.write(data)
    except OSError:
        pass  # the command did not want it all

def collect(process, end):
    got = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as waiting:
        for pipe in got:
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            if time.monotonic() >= end:
                return "timeout", b"", b""
            for key, _ in waiting.select(max(0, end - time.monotonic())):
                data = os.read(key.fd, 65536)
                got[key.fileobj] += data
                if not data:
                    waiting.unregister(key.fileobj)
            if sum(map(len, got.values())) > LIMIT:
                return "flood", b"", b""
    return "done", got[process.stdout], got[process.stderr]

def run(command, stdin, timeout):
    process = subprocess.Popen(["/bin/sh", "-c", command.encode("utf-8", "surrogateescape")], env=env, bufsize=0,
                               start_new_session=True, stdin=-1, stdout=-1, stderr=-1)
    threading.Thread(target=feed, args=(process.stdin, stdin.encode("utf-8", "surrogateescape")), daemon=True).start()
    with process.stdout, process.stderr:
        word, out, err = collect(process, time.monotonic() + timeout)
    if word != "done":
        os.killpg(process.pid, signal.SIGKILL)
    rc = process.wait()
    return word, rc if rc >= 0 else 128 - rc, out, err

for line in iter(sys.stdin.readline, ""):
    try:
        word, rc, out, err = run(**json.loads(line))
    except OSError as error:
        word, rc, out, err = "error", 0, b"", str(error).encode("utf-8", "replace")
    sys.stdout.buffer.write(("%s %d %d %d\n" % (word, rc, len(out), len(err))).encode() + out + err)
    sys.stdout.buffer.flush()
"""


def program() -> bytes:
    """The agent as the single ASCII line that BOOTSTRAP reads."""
    return f"exec({SOURCE.replace('LIMIT', str(OUTPUT_LIMIT))!a})\n".encode("ascii")
