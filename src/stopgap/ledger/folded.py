"""A fold as text, so that the next event can be folded on without reading those before it.

Compact JSON, what is at its default left out. A text of another FORMAT is no fold: the case is then projected from all
its events. Raise FORMAT when a field is renamed or comes to mean something else; a new one with a default needs
nothing.
"""

import json
from dataclasses import MISSING, fields
from typing import Any

from stopgap.ledger.case import Acceptance, Episode, Extension
from stopgap.ledger.facts import Entry, Facts, Proof
from stopgap.ledger.projection import Fold, Story
from stopgap.ledger.reopening import Basis

FORMAT = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# Fields that are not plain JSON values, by what they hold: one, several by name, several in a row.
ONE: dict[str, type] = {"acceptance": Acceptance, "basis": Basis}
NAMED: dict[str, type] = {"entries": Entry, "proofs": Proof, "extensions": Extension}
LISTED: dict[str, type] = {"episodes": Episode}


def to_text(told: Fold) -> str:
    plain = {"format": FORMAT, "place": told.place, "facts": _plain(told.facts), "story": _plain(told.story)}
    return _encode(plain)


def from_text(text: str) -> Fold | None:
    """None when nothing is kept, or in another format."""
    kept = json.loads(text) if text else {}
    if kept.get("format") != FORMAT:
        return None
    counted_at, heard_at, id_ = kept["place"]
    return Fold(Facts(**_rich(kept["facts"])), Story(**_rich(kept["story"])), (counted_at, heard_at, id_))


def _defaults(shape: Any) -> tuple[tuple[str, Any], ...]:
    if issubclass(shape, tuple):  # a named one
        return tuple((name, shape._field_defaults.get(name, MISSING)) for name in shape._fields)
    return tuple((one.name, one.default) for one in fields(shape))


DEFAULTS = {shape: _defaults(shape) for shape in (Facts, Story, *ONE.values(), *NAMED.values(), *LISTED.values())}


def _plain(value: Any) -> dict[str, Any]:
    plain = {}
    for name, default in DEFAULTS[type(value)]:
        found = getattr(value, name)
        if found == default:
            continue
        if name in NAMED:
            found = {key: _plain(one) for key, one in found.items()}
        elif name in LISTED:
            found = [_plain(one) for one in found]
        elif name in ONE:
            found = _plain(found)
        plain[name] = found
    return plain


def _rich(plain: dict[str, Any]) -> dict[str, Any]:
    for name, found in plain.items():
        if name in NAMED:
            plain[name] = {key: NAMED[name](**one) for key, one in found.items()}
        elif name in LISTED:
            plain[name] = tuple(LISTED[name](**one) for one in found)
        elif name in ONE:
            plain[name] = ONE[name](**found)
    return plain
