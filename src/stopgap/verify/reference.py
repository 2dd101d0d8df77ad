"""The table of docs/reference/checks.md, made of the check files and of nothing else.

`python -m stopgap.verify.reference docs/reference/checks.md` writes it anew and leaves the rest of the page alone.
"""

import sys
from pathlib import Path

from stopgap.verify.checks import CHECKS

BEGIN = "<!-- Made of src/stopgap/verify/checks/ by `python -m stopgap.verify.reference docs/reference/checks.md` -->\n"
END = "<!-- end of the table -->\n"
HEAD = "| type | passes when | fails when | unknown when |\n|---|---|---|---|\n"


def table() -> str:
    return HEAD + "".join(
        f"| `{row.form}` | {row.passes} | {row.fails} | {row.unknown} |\n"
        for kind in CHECKS.values()
        for row in kind.rows
    )


def as_text(page: str) -> str:
    """The page with the table as it should be. ValueError where the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table: it stands between two comments")
    return f"{before}{begin}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(as_text(file.read_text(encoding="utf-8")), encoding="utf-8")
