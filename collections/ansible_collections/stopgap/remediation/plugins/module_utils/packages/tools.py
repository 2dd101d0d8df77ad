# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How package tools are run, and the one way in which they fail."""

import collections
import subprocess

from ansible_collections.stopgap.remediation.plugins.module_utils import command, orphans
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError, Surprise

Result = collections.namedtuple("Result", "rc output")


class InstallError(StopgapError, RuntimeError):
    """A package manager did not do it; `clean` where it had not begun to change the host."""

    def __init__(self, code, reason, clean):
        super().__init__(reason)
        self.code, self.reason, self.clean = code, reason, clean


def read(argv, rcs=(0,), timeout=60):
    """Standard output of a command that only reads; Surprise for an exit code that is no answer."""
    output = command.execute(argv, timeout=timeout)
    if output.rc not in rcs:
        raise Surprise(f"{' '.join(argv[:2])}: exit code {output.rc}: {command.excerpt(output)}")
    return output.stdout


def run(argv, timeout, **environment):
    """(rc, everything it said) of a command that changes the host.

    Into a file, not a pipe: a daemon that a maintainer script starts would keep a pipe open for ever.
    """
    with command.scratch() as log:
        try:
            rc = subprocess.call(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                env=dict(command.environment(), **environment),
                preexec_fn=orphans.note,
            )
        except OSError as error:
            raise Surprise(f"{argv[0]}: cannot be run: {error.strerror}")
        except subprocess.TimeoutExpired:
            raise Surprise(f"{argv[0]} did not end within {timeout} s: look at what it left with dpkg --audit")
        log.seek(0)
        return Result(rc, log.read().decode("utf-8", "replace"))
