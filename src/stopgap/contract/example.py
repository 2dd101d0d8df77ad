"""A short text that a regular expression finds, for files that a remedy expects to hold something."""

import re
from collections.abc import Iterable
from itertools import product
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LETTERS = ("a1_ x-./:=Z\t#", " a1_x-./:=Z\t#")
CLASSES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_NOT_WORD: r"\W",
}
REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, getattr(op, "POSSESSIVE_REPEAT", op.MAX_REPEAT))


class NoExample(ValueError):
    """None could be made up."""


def example(pattern: str) -> str:
    """The shortest obvious text; each is tried before it is given. Raises NoExample."""
    parsed = parser.parse(pattern, re.MULTILINE)
    for most_spared, letters in product((True, False), LETTERS):
        text = _Maker(letters, most_spared).text(parsed)
        if re.search(pattern, text, re.MULTILINE):
            return text
    raise NoExample(pattern)


class _Maker:
    """One way of choosing: `spare` leaves out what may be missing, and `letters` is the order of preference."""

    def __init__(self, letters: str, spare: bool) -> None:
        self.letters, self.spare = letters, spare
        self.groups: dict[int, str] = {}

    def text(self, parsed: Iterable[Any]) -> str:
        return "".join(self._part(kind, value) for kind, value in parsed)

    def _part(self, kind: Any, value: Any) -> str:
        if kind is op.LITERAL:
            return chr(value)
        if kind is op.ANY:
            return self.letters[0]
        if kind is op.NOT_LITERAL:
            return next(letter for letter in self.letters if ord(letter) != value)
        if kind is op.IN:
            return self._one_of(value)
        if kind in REPEATS:
            least, most, inner = value
            return self.text(inner) * (int(least) if self.spare else max(1, int(least)) if most else 0)
        if kind is op.SUBPATTERN:
            self.groups[value[0]] = self.text(value[-1])
            return self.groups[value[0]]
        if kind is op.GROUPREF:
            return self.groups.get(value, "")
        if kind is op.BRANCH:
            return self.text(value[1][0])
        return ""  # anchors and look-arounds take no room; whether they hold is tried afterwards

    def _one_of(self, value: list[Any]) -> str:
        negated = value[0][0] is op.NEGATE
        for letter in self.letters:
            if any(_is_in(letter, *one) for one in value[negated:]) != negated:
                return letter
        kind, inner = value[0]
        return chr(inner[0] if kind is op.RANGE else inner) if kind in (op.RANGE, op.LITERAL) else "a"


def _is_in(letter: str, kind: Any, inner: Any) -> bool:
    if kind is op.RANGE:
        return bool(inner[0] <= ord(letter) <= inner[1])
    if kind is op.CATEGORY:
        return bool(re.match(CLASSES[inner], letter))
    return kind is op.LITERAL and ord(letter) == inner
