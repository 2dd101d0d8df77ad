# SPDX-License-Identifier: Apache-2.0
"""Run the stopgap package from the controller's plugins: JSON in, JSON out, never an import."""

import json
import os
import subprocess
import sys


# `-m` alone would import from the current folder first: from /tmp whatever anybody has put there, elsewhere a site's own
# uuid.py. Before Python 3.11, which knows no -P, there is no package to run.
SAFE = ["-P"] if sys.version_info >= (3, 11) else []


class PackageError(RuntimeError):
    """The package could not be run, or refused; the text is one sentence with the way out."""


def package_command(module, *arguments):
    """``python -m stopgap.<module>`` as an argument list."""
    return [sys.executable] + SAFE + ["-m", "stopgap." + module] + list(arguments)


def run_package(module, arguments=(), request=None, timeout=None):
    """Run ``python -m stopgap.<module>`` and return the JSON object it prints.

    *request* goes to its standard input as JSON, so nothing secret shows in the process list.
    """
    try:
        done = subprocess.run(
            package_command(module, *arguments),
            input=None if request is None else json.dumps(request),
            stdin=subprocess.DEVNULL if request is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=timeout,
            env=dict(os.environ, PYTHONIOENCODING="utf-8"),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PackageError("stopgap.%s gave no answer within %d s" % (module, timeout))
    if "No module named" in done.stderr and "stopgap" in done.stderr and done.returncode:
        raise PackageError(
            "the Python that runs Ansible (%s) has no stopgap package: pip install stopgap there" % sys.executable
        )
    if done.returncode:
        raise PackageError(done.stderr.strip() or "stopgap.%s ended with exit code %d" % (module, done.returncode))
    return json.loads(done.stdout)
