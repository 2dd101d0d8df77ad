# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Run one command: an argument list, the C locale, a time limit, and the exit codes that count as answers."""

import collections
import os
import re
import signal
import subprocess

from ansible_collections.stopgap.remediation.plugins.module_utils import orphans
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, Surprise

Answer = collections.namedtuple("Answer", "matched reason stdout")
Output = collections.namedtuple("Output", "rc stdout stderr")

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


def execute(argv, stdin=None, timeout=30):
    """Surprise where the command cannot be started or does not end in time; its whole process group is ended then."""
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
            preexec_fn=orphans.note,
        )
    except OSError as error:
        raise Surprise("%s: cannot be run: %s" % (" ".join(argv), error.strerror))
    try:
        out, err = child.communicate(None if stdin is None else stdin.encode("utf-8"), timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise Surprise("%s: no answer within %s s" % (" ".join(argv), timeout))
    return Output(child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def environment():
    """`become` without a login shell often leaves the sbin folders off PATH."""
    return dict(os.environ, LC_ALL="C", LANGUAGE="C", PATH="%s:%s" % (os.environ.get("PATH", ""), SBIN))


def excerpt(output):
    """The end of what it said: tools put the error last."""
    text = output.stderr.strip() or output.stdout.strip() or "no output"
    return " ".join(text.split())[-TEXT_LIMIT:]
