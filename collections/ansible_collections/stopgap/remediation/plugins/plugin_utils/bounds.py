# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""Text and evidence of a size and a kind that the ledger takes, whatever a host returned. Pure."""

from __future__ import annotations

import json
import math
import re

TEXT_LIMIT = 1000
LIST_LIMIT = 100
DEPTH_LIMIT = 6
EVIDENCE_LIMIT = 48 * 1024

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)


def clean(text, limit):
    """Printable, and at most `limit` characters."""
    text = _UNPRINTABLE.sub(lambda found: " " if found.group() in "\t\n\r" else "\N{REPLACEMENT CHARACTER}", str(text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def bounded(value):
    """Evidence of a size the ledger takes: whole where possible, else its plain fields only."""
    value = trim(value, 0)
    if len(json.dumps(value)) <= EVIDENCE_LIMIT:
        return value
    plain = {key: item for key, item in value.items() if not isinstance(item, (list, dict))}
    return dict(dict(list(plain.items())[:20]), truncated=True)


def trim(value, depth):
    if isinstance(value, dict):
        items = list(value.items())[:LIST_LIMIT] if depth < DEPTH_LIMIT else []
        return {clean(key, 100): trim(item, depth + 1) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [trim(item, depth + 1) for item in value[:LIST_LIMIT]] if depth < DEPTH_LIMIT else []
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else "a number out of bounds"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return clean(value, TEXT_LIMIT)
