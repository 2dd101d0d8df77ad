"""Events that a person says at the command line: written into the ledger at once, in its chain like any other."""

import getpass
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stopgap.ledger.errors import BadWord
from stopgap.ledger.events import REASON_LIMIT, Event, clean, parse_event, spelled
from stopgap.ledger.ids import new_id


def make_event(
    kind: str,
    verdict: str,
    *,
    now: datetime,
    who: str,
    run: str,
    estate: str = "",
    host: str = "",
    remedy: str = "",
    revision: int = 0,
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
    id_: str = "",
) -> Event:
    """`id_` where it is made from what is said. Raises BadEvent for what no event can hold."""
    at = spelled(now)
    return parse_event(
        {
            "id": id_ or new_id(at),
            "at": at,
            "estate": estate,
            "host": host,
            "remedy": remedy,
            "revision": revision,
            "kind": kind,
            "verdict": verdict,
            "reason": reason,
            "evidence": dict(evidence or {}),
            "actor": who,
            "run": run,
            "origin": origin(),
        }
    )


def new_run(now: datetime) -> str:
    """One command is one run."""
    return new_id(spelled(now))


def speaker(named: str = "") -> str:
    """Who says it: as named, else who logged in, also behind sudo (as the callback does)."""
    if not named:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = f"uid {os.getuid()}"
        named = (os.environ.get("SUDO_USER") or user) if user == "root" else user
    return said("who", named, 255)


def said(what: str, text: str, limit: int = REASON_LIMIT) -> str:
    """A person's words as they are, or BadWord: nothing of a reason is cut or changed unsaid."""
    text = text.strip()
    if not text:
        raise BadWord(f"{what} is empty")
    if len(text) > limit:
        raise BadWord(f"{what} is longer than {limit} characters")
    if clean(text, limit) != text:
        raise BadWord(f"{what} holds line breaks or characters that cannot be printed")
    return text


def origin() -> str:
    return "awx" if os.environ.get("JOB_ID") else "laptop"
