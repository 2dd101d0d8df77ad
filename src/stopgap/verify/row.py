from typing import NamedTuple


class Row(NamedTuple):
    """A line of the table in docs/reference/checks.md: how a check is written, and when it says what."""

    form: str
    passes: str
    fails: str
    unknown: str
