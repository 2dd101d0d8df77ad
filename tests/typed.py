"""Commands as a user types them, in this process: a Python of its own costs half a second a command.

Where the process itself is the question (a terminal, a kill, a crowd, its imports, its clock), tests start one.
"""

import contextlib
import io
import os
import subprocess
import sys
from unittest import mock


def stopgap(*words, **more):
    """What `subprocess.run(["stopgap", *words], capture_output=True, text=True)` gives."""
    from stopgap.cli.main import main

    return _run(main, ["stopgap", *words], **more)


def ingest(*words, **more):
    """The same of `python -m stopgap.ledger ingest`."""
    from stopgap.ledger.__main__ import main

    return _run(lambda: sys.exit(main(["ingest", *words])), ["stopgap.ledger", "ingest", *words], **more)


def _run(main, argv, *, env=None, text=True, stdin=None, check=False):
    out, err = _stream("strict"), _stream("backslashreplace")
    given = io.TextIOWrapper(stdin or io.BytesIO(), encoding="utf-8")
    with (
        mock.patch.dict(os.environ, env or {}, clear=env is not None),
        mock.patch.object(sys, "argv", [str(word) for word in argv]),
        mock.patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            given.detach()  # whoever opened it closes it
    said = [stream.buffer.getvalue() for stream in (out, err)]
    done = subprocess.CompletedProcess(argv, code, *([one.decode() for one in said] if text else said))
    if check:
        done.check_returncode()
    return done


def _stream(errors):
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)
