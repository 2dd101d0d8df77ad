"""Where this user's books are kept. Without SQLAlchemy, so that anybody can ask."""

import os
from pathlib import Path

from stopgap.ledger.errors import LedgerUnavailable


def state_dir() -> Path:
    """STOPGAP_STATE_DIR, else XDG_STATE_HOME/stopgap, else ~/.local/state/stopgap. Not created here.

    Raises LedgerUnavailable where there is none of them.
    """
    given = os.environ.get("STOPGAP_STATE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "stopgap"
    except RuntimeError:  # no HOME, and a user without an entry: a container's, mostly
        raise LedgerUnavailable("nobody knows where this user's home is: set HOME, or STOPGAP_STATE_DIR") from None


def spool_dir() -> Path:
    return state_dir() / "spool"


def ledger_file() -> Path | None:
    """The SQLite file that holds the ledger; None where STOPGAP_LEDGER_URL says more than a file's path."""
    given = os.environ.get("STOPGAP_LEDGER_URL")
    if not given:
        return state_dir() / "ledger.sqlite"
    path = given.removeprefix("sqlite:///")
    is_plain = path not in ("", given) and path.isprintable() and not set(path) & set("?%#:")
    return Path(path) if is_plain else None
