# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""Writing a run's events where they survive the controller's death."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess

from ansible_collections.stopgap.remediation.plugins.plugin_utils.bounds import clean
from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import package_command


SUFFIX = ".jsonl"


class SpoolFile(object):
    """`<folder>/<run>.jsonl`, made at the first event, held while the play runs.

    The hold is a POSIX record lock: it ends with this process, while a flock would live on in Ansible's forked workers.
    """

    def __init__(self, folder, run):
        self.folder = folder
        self.path = os.path.join(folder, run + SUFFIX)
        self.written = 0
        self._descriptor = None
        self._torn = False

    def write(self, event):
        """Appended in one write. Raises OSError: disk full, no permission."""
        if self._descriptor is None:
            self._descriptor = self._open()
        line = json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"
        if self._torn:
            line = b"\n" + line
        self._torn = True
        if os.write(self._descriptor, line) != len(line):
            raise OSError("only part of an event could be written to %s" % self.path)
        self._torn = False
        self.written += 1

    def close(self):
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            finally:
                os.close(self._descriptor)
                self._descriptor = None

    def _open(self):
        """Locked before it gets the name a delivery looks for."""
        for folder in (os.path.dirname(self.folder), self.folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        hidden = os.path.join(self.folder, "." + os.path.basename(self.path))
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.exists(self.path):  # a run of the same name left it: its events are not ours to lose
            self.path = "%s-%d%s" % (self.path[: -len(SUFFIX)], os.getpid(), SUFFIX)
        os.link(hidden, self.path)
        os.unlink(hidden)
        return descriptor


def deliver(folder, timeout):
    """Have the package deliver a spool. Returns (delivered, what it said on stderr); raises nothing for a failure."""
    command = package_command("ledger", "ingest", "--spool", folder)
    environ = dict(os.environ, STOPGAP_STATE_DIR=os.path.dirname(folder))
    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, clean(done.stderr.decode("utf-8", "replace").strip(), 2000)
