"""The chain of events of one writer, estate and host: each link's hash covers the one before. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SPELLED = (
    "writer", "seq", "recorded_at", "id", "at", "estate", "host", "remedy", "revision", "kind", "verdict", "reason",
    "evidence", "actor", "run", "origin",
)  # fmt: skip


def link(previous: str, row: Mapping[str, Any]) -> str:
    """The hash of this row of the table `events` behind `previous` ("" for the first): 64 hex digits of SHA-256."""
    spelled = [previous, *(row[name] for name in SPELLED)]
    return hashlib.sha256(json.dumps(spelled, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
