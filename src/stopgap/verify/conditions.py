"""What a text can be asked for: the same words for a command's output, a header and an option."""

from collections.abc import Callable
from typing import Any

from stopgap.verify import patterns

CONDITIONS: dict[str, Callable[[str, str], bool]] = {
    "has": lambda wanted, text: wanted in text,
    "lacks": lambda wanted, text: wanted not in text,
    "matches": lambda wanted, text: patterns.search(wanted, [text]) != [None],
    "lacks_match": lambda wanted, text: patterns.search(wanted, [text]) == [None],
}


def broken(params: dict[str, Any], text: str, prefix: str = "") -> str | None:
    """The first condition that does not hold, as it was written; None where all do."""
    for word, holds in CONDITIONS.items():
        wanted = params.get(prefix + word)
        if wanted is not None and not holds(wanted, text):
            return f"{prefix}{word} {wanted!r} does not hold"
    return None
