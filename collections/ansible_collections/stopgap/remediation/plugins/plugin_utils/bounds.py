# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""Text and evidence of a size and a kind that the ledger takes, whatever a host returned. Pure."""

from __future__ import annotations

import itertools
import json
import math
import re

TEXT_LIMIT = 1000
LIST_LIMIT = 100
KEY_LIMIT = 100
CUT_NAMED = 20
DEPTH_LIMIT = 6
EVIDENCE_LIMIT = 48 * 1024

# Control characters, lone surrogates, and the invisible ones: those that turn text around, and those that hide in it.
# The same as stopgap.ledger.events has; a test says so.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def clean(text, limit):
    """Printable, and at most `limit` characters. Cut before it is cleaned: a host's 10 MB cost no more than the limit."""
    text = str(text)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return _UNPRINTABLE.sub(lambda found: " " if found.group() in "\t\n\r" else "\N{REPLACEMENT CHARACTER}", text)


def bounded(value, limit=EVIDENCE_LIMIT):
    """Evidence of a size the ledger takes. What was cut is named: `truncated: true`, `cut: [keys]`.

    The largest parts go first, so that a talkative host keeps the rest of what it said.
    """
    kept, cut = {}, []
    for key, item in list(value.items())[:LIST_LIMIT]:
        lost = []
        name = clean(key, KEY_LIMIT)
        kept[name] = trim(item, 1, lost)
        if lost or len(str(key)) > KEY_LIMIT:
            cut.append(name)
    sizes = {key: len(json.dumps(item)) + len(json.dumps(key)) + 4 for key, item in kept.items()}
    for key in sorted(sizes, key=lambda key: -sizes[key]):
        if sum(sizes.values()) <= limit:
            break
        del kept[key], sizes[key]
        cut.append(key)
    if not cut and len(value) <= LIST_LIMIT:
        return kept
    return dict(kept, truncated=True, cut=sorted(set(cut))[:CUT_NAMED])


def trim(value, depth, lost):
    """`lost` gets an item for everything that was left out."""
    if isinstance(value, (dict, list, tuple)) and value and depth >= DEPTH_LIMIT:
        lost.append(True)
        return {} if isinstance(value, dict) else []
    if isinstance(value, (dict, list, tuple, str)):
        limit = TEXT_LIMIT if isinstance(value, str) else LIST_LIMIT
        if len(value) > limit:
            lost.append(True)
    if isinstance(value, dict):
        items = list(itertools.islice(value.items(), LIST_LIMIT))
        lost.extend(True for key, _item in items if len(str(key)) > KEY_LIMIT)
        return {clean(key, KEY_LIMIT): trim(item, depth + 1, lost) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [trim(item, depth + 1, lost) for item in value[:LIST_LIMIT]]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else "a number out of bounds"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return clean(value, TEXT_LIMIT)
