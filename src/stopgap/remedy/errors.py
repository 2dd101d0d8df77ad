"""What can go wrong with remedies. One root; each leaf is also the builtin a caller would expect."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """One finding in a remedy file. Reads as `FILE:LINE: message`, which editors and CI turn into a link."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return one_line(f"{self.file}:{self.line}: {self.message}")


def one_line(text: str) -> str:
    """Printable: a remedy may be anybody's, and its words must not drive a terminal or pass for a line of ours."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class RemedyError(ValueError):
    """Root of everything this package raises on purpose."""


class InvalidRemedy(RemedyError):
    """A remedy file does not hold what it should; `problems` has every finding, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class UnknownRemedy(RemedyError, LookupError):
    """No file in the catalogue has this id or alias."""


class UnreadableRemedy(RemedyError, OSError):
    """A remedy file or folder that was asked for cannot be read."""
