"""What cleans up after itself does so when it is ended by a signal, too, as it does after Ctrl-C."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cleaned_up() -> Iterator[None]:
    """SIGTERM and a closed terminal leave what is inside by SystemExit. What they do otherwise than end us stays."""
    heard = [one for one in ENDING if signal.getsignal(one) is signal.SIG_DFL]
    for one in heard:
        signal.signal(one, _end)
    try:
        yield
    finally:
        for one in heard:
            signal.signal(one, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)  # told twice, it would stop cleaning up
    sys.exit(128 + number)
