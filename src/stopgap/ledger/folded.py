"""A fold as text, so that the next event can be folded on without reading those before it.

Compact JSON, what is at its default left out. A text of another FORMAT is no fold: the case is then projected from all
its events. Raise FORMAT when a field is renamed or comes to mean something else; a new one with a default needs
nothing.
"""

import msgspec

from stopgap.ledger.projection import Fold

FORMAT = 7

# msgspec leaves out what *is* the default, not what equals it. So that the same fold is the same text wherever it came
# from, defaults are only what there is one of: "", None, small numbers, empty dicts; any other is a default_factory,
# and then always written.


class _Kept(msgspec.Struct, frozen=True):
    format: int
    fold: Fold


class _Old(msgspec.Struct, frozen=True):
    format: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode
_decode_old = msgspec.json.Decoder(_Old).decode


def to_text(told: Fold) -> str:
    return _encode(_Kept(FORMAT, told)).decode()


def from_text(text: str) -> Fold | None:
    """None when nothing is kept, or in another format."""
    try:
        kept = _decode(text)
    except msgspec.DecodeError:
        return None
    return kept.fold if kept.format == FORMAT else None


def is_older(text: str) -> bool:
    """Of code before this one: the next event replaces it, whatever it says."""
    try:
        return _decode_old(text).format < FORMAT
    except msgspec.DecodeError:
        return not text
