# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Run one command: an argument list, the C locale, a time limit, and the exit codes that count as answers."""

import collections
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading

from ansible_collections.stopgap.remediation.plugins.module_utils import orphans
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, Surprise

Answer = collections.namedtuple("Answer", "matched reason stdout")
Output = collections.namedtuple("Output", "rc stdout stderr")

SCRATCH = "/run"  # in memory: a full disk stops no command
SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TEXT_LIMIT = 300


def ask(cmd):
    """Run a CMD of the contracts and say whether its output matches. Surprise for an exit code not in `rc`."""
    output = execute(cmd["run"], stdin=cmd.get("stdin"), timeout=cmd.get("timeout", 30))
    name = " ".join(cmd["run"])
    expected = cmd.get("rc", [0])
    if output.rc not in expected:
        raise Surprise("%s: exit code %s is not one of %s: %s" % (name, output.rc, expected, excerpt(output)))
    for key, holds, complaint in MATCHERS:
        if cmd.get(key) is not None and not holds(cmd[key], output.stdout):
            return Answer(False, "%s: output %s %r" % (name, complaint, cmd[key]), output.stdout)
    return Answer(True, "%s: as expected" % name, output.stdout)


MATCHERS = (
    ("stdout_has", lambda text, out: text in out, "lacks"),
    ("stdout_lacks", lambda text, out: text not in out, "has"),
    ("stdout_matches", lambda regex, out: re.search(regex, out, re.MULTILINE), "does not match"),
    ("stdout_lacks_match", lambda regex, out: not re.search(regex, out, re.MULTILINE), "matches"),
)


def must(argv, rcs=(0,), timeout=120):
    """Standard output of a command of our own that has to succeed; ActionError with what it said otherwise."""
    output = execute(argv, timeout=timeout)
    if output.rc not in rcs:
        raise ActionError("%s: exit code %s: %s" % (" ".join(argv), output.rc, excerpt(output)))
    return output.stdout


def on_draft(validate):
    """What asks a validator about a draft (`%s` in its command), or None where it looks at the file in its place."""
    if not any("%s" in word for word in validate or ()):
        return None
    return lambda draft: must([word.replace("%s", draft) for word in validate])


def execute(argv, stdin=None, timeout=30):
    """Surprise where the command cannot be started or does not end in time; its whole process group is ended then."""
    with scratch() as out, scratch() as err, scratch(stdin or "") as given:
        try:
            child = subprocess.Popen(
                argv,
                stdin=given,
                stdout=out,
                stderr=err,
                env=environment(),
                start_new_session=True,
                preexec_fn=orphans.note,
            )
        except OSError as error:
            raise Surprise("%s: cannot be run: %s" % (" ".join(argv), error.strerror))
        rc = wait(child, timeout)
        if rc is None:
            raise Surprise("%s: no answer within %s s" % (" ".join(argv), timeout))
        return Output(rc, text_of(out), text_of(err))


def wait(child, timeout):
    """Its exit code, or None where its time was up. Popen.wait has a timeout of its own, but looks only every 50 ms."""
    late = []

    def end():
        late.append(True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    limit = threading.Timer(timeout, end)
    limit.start()
    try:
        rc = child.wait()
    finally:
        limit.cancel()
        limit.join()
    return None if late else rc


def scratch(text=""):
    """A file without a name. Not a pipe: where we are killed, a command must not die of it halfway through its work."""
    found = tempfile.TemporaryFile(dir=SCRATCH if os.access(SCRATCH, os.W_OK) else None)
    found.write(text.encode("utf-8"))
    found.seek(0)
    return found


def text_of(stream):
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def environment():
    """`become` without a login shell often leaves the sbin folders off PATH."""
    return dict(os.environ, LC_ALL="C", LANGUAGE="C", PATH="%s:%s" % (os.environ.get("PATH", ""), SBIN))


def excerpt(output):
    """The end of what it said: tools put the error last."""
    text = output.stderr.strip() or output.stdout.strip() or "no output"
    return " ".join(text.split())[-TEXT_LIMIT:]
