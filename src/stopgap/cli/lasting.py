"""Output that may go away under a run: a reader that left, a full disk, a lost terminal. The run goes on without it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class Lasting:
    """A text stream that takes whatever is written: what can no longer be shown is dropped, and `lost` has why."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self, error: OSError) -> None:
        """What waits in the stream's buffer must not fail once more, nor what others write to it."""
        self.lost = self.lost or error
        with suppress(OSError):  # a stream without a descriptor
            descriptor = self._stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Nothing that is shown ends what happens in here; on stderr it is told what stdout could not take."""
    kept = sys.stdout, sys.stderr
    out, err = Lasting(sys.stdout), Lasting(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        out.flush()
        if out.lost and not isinstance(out.lost, BrokenPipeError):  # who closes a pipe knows it
            print(f"stopgap: standard output: {out.lost.strerror}; the run went on without it", file=sys.stderr)
        err.flush()
        sys.stdout, sys.stderr = kept
