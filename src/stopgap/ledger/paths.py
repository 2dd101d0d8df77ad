"""Where this user's books are kept. Without SQLAlchemy, so that anybody can ask."""

import os
from pathlib import Path


def state_dir() -> Path:
    """STOPGAP_STATE_DIR, else XDG_STATE_HOME/stopgap, else ~/.local/state/stopgap. Not created here."""
    given = os.environ.get("STOPGAP_STATE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base) / "stopgap" if base else Path.home() / ".local" / "state" / "stopgap"


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
