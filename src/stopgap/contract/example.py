"""A short text that a regular expression finds, for files that a remedy expects to hold something."""

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LETTERS = "a1_ x0-./:=AZ\t#"
CATEGORIES = {op.CATEGORY_DIGIT: "1", op.CATEGORY_SPACE: " ", op.CATEGORY_WORD: "a"}
NOT_CATEGORIES = {op.CATEGORY_NOT_DIGIT: "a", op.CATEGORY_NOT_SPACE: "a", op.CATEGORY_NOT_WORD: " "}


class NoExample(ValueError):
    """None could be made up."""


def example(pattern: str) -> str:
    """The shortest obvious text; it is tried before it is given. Raises NoExample."""
    text = "".join(_parts(parser.parse(pattern, re.MULTILINE), {}))
    if not re.search(pattern, text, re.MULTILINE):
        raise NoExample(pattern)
    return text


def _parts(parsed: Iterable[Any], groups: dict[int, str]) -> Iterable[str]:
    for kind, value in parsed:
        yield _part(kind, value, groups)


def _part(kind: Any, value: Any, groups: dict[int, str]) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.ANY:
        return "a"
    if kind is op.NOT_LITERAL:
        return "a" if chr(value) != "a" else "b"
    if kind is op.IN:
        return _one_of(value)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, getattr(op, "POSSESSIVE_REPEAT", None)):
        least, _, inner = value
        return "".join(_parts(inner, groups)) * int(least)
    if kind is op.SUBPATTERN:
        text = "".join(_parts(value[-1], groups))
        groups[value[0]] = text
        return text
    if kind is op.GROUPREF:
        return groups.get(value, "")
    if kind is op.BRANCH:
        return "".join(_parts(value[1][0], groups))
    return ""  # anchors and look-arounds take no room; whether they hold is tried afterwards


def _one_of(value: list[Any]) -> str:
    if value[0][0] is op.NEGATE:
        pattern = value[1:]
        return next((letter for letter in LETTERS if not _is_in(letter, pattern)), "a")
    kind, inner = value[0]
    if kind is op.LITERAL:
        return chr(inner)
    if kind is op.RANGE:
        return chr(inner[0])
    return {**CATEGORIES, **NOT_CATEGORIES}.get(inner, "a")


def _is_in(letter: str, values: list[Any]) -> bool:
    for kind, inner in values:
        if kind is op.LITERAL and ord(letter) == inner:
            return True
        if kind is op.RANGE and inner[0] <= ord(letter) <= inner[1]:
            return True
        if kind is op.CATEGORY and re.match(_CLASS[inner], letter):
            return True
    return False


_CLASS = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_NOT_WORD: r"\W",
}
