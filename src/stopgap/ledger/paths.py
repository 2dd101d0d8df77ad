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
