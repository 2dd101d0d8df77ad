# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""Writing a run's events where they survive the controller's death."""

from __future__ import annotations

import fcntl
import json
import os


class SpoolFile(object):
    """`<folder>/<run>.jsonl`, made at the first event, held while the play runs.

    The hold is a POSIX record lock: it ends with this process, while a flock would live on in Ansible's forked workers.
    """

    def __init__(self, folder, run):
        self.folder = folder
        self.path = os.path.join(folder, run + ".jsonl")
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
        os.rename(hidden, self.path)
        return descriptor
