"""Verdicts and how they add up."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Word = Literal["pass", "fail", "unknown"]


class Verdict(NamedTuple):
    word: Word
    reason: str


def passed(reason: str) -> Verdict:
    return Verdict("pass", reason)


def failed(reason: str) -> Verdict:
    return Verdict("fail", reason)


def unknown(reason: str) -> Verdict:
    return Verdict("unknown", reason)


def expect(holds: bool, reason: str) -> Verdict:
    return Verdict("pass" if holds else "fail", reason)


def together(verdicts: list[Verdict]) -> Verdict:
    """Of the parts of one check: the worst one, or all that was seen."""
    for word in ("fail", "unknown"):
        if found := [verdict for verdict in verdicts if verdict.word == word]:
            return found[0]
    return passed("; ".join(verdict.reason for verdict in verdicts)) if verdicts else unknown("nothing was looked at")


def aggregate(checks: Iterable[dict[str, Any]]) -> Verdict:
    """fail > unknown > pass; nothing checked is nothing proven."""
    checks = list(checks)
    for word, label in (("fail", "failed"), ("unknown", "could not be answered")):
        found = [check for check in checks if check["verdict"] == word]
        if found:
            first = f"{found[0]['id']}: {found[0]['reason']}"
            more = f" (and {len(found) - 1} more {label})" if len(found) > 1 else ""
            return Verdict(word, clean(first + more))  # type: ignore[arg-type]
    if not checks:
        return unknown("no check ran")
    return passed("1 check passed" if len(checks) == 1 else f"all {len(checks)} checks passed")


def clean(text: str, limit: int = 500) -> str:
    """One printable line of what a host said: it must not break a terminal, a report or a table."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
