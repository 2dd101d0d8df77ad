"""Ids of events that are made here: UUIDv7, as the callback makes them."""

import secrets
import uuid
from datetime import datetime


def new_id(moment: str) -> str:
    """Sorts by `moment`, which is in the ledger's spelling of time."""
    milliseconds = int(datetime.fromisoformat(moment).timestamp() * 1000)
    number = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62))  # variant


def first_id(moment: datetime) -> str:
    """Below every id that was made at that moment or later, and above all from before it."""
    return str(uuid.UUID(int=int(moment.timestamp() * 1000) << 80))
