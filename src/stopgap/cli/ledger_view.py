"""Cases and debts as text: a table on a terminal, aligned lines elsewhere. Nothing a host said is ever markup."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from stopgap.ledger.case import CLOSED, Case
from stopgap.ledger.debts import Owed, seconds_since, utc_now
from stopgap.ledger.events import clean

if TYPE_CHECKING:
    from rich.console import Console

CELL_LIMIT = 300
ROOM_FOR_A_SENTENCE = 26  # columns of a terminal
STYLES = {"fixed": "green", "not_affected": "dim", "mitigated": "yellow", "patched": "yellow", "exposed": "bold red"}

NARROW = ("state", "since", "age", "expires", "proven", "remedy")  # these stay on one line

LOUD = ("regressed", "expired")  # what else there is to be loud about begins the reason

STATUS_COLUMNS = ("host", "remedy", "state", "since", "reason")
DEBT_COLUMNS = ("host", "remedy", "mitigation", "age", "expires", "owner", "proven", "waiting for the fix")
ORPHAN_COLUMNS = (*DEBT_COLUMNS[:-1], "waiting for")


def status_rows(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    several = len({one.estate for one in cases}) > 1
    return [
        (
            f"{one.estate}/{one.host}" if several else one.host,
            one.remedy,
            one.state,
            age(seconds_since(one.since, utc_now())),
            _flagged(one),
        )
        for one in cases
    ]


@dataclass(frozen=True, slots=True)
class DebtRows:
    """The cells of what is owed at this moment, made each time they are gone through."""

    rows: Iterable[Owed]
    several: bool  # estates
    now: datetime

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        for row in self.rows:
            yield (
                f"{row.estate}/{row.host}" if self.several else row.host,
                row.remedy,
                _mitigation(row),
                age(row.age),
                _expiry(row, self.now),
                row.owner or "-",
                _proven(row),
                _waiting(row),
            )


def breach_line(row: Owed, now: datetime) -> str:
    """What made `--fail-on` fail, for the mail of a cron job."""
    owner = f", owner {row.owner}" if row.owner else ""
    late = f"{age(seconds_since(row.expires_at, now), 1)} overdue" if row.overdue else "in force"
    orphan = " after its fix" if row.state in CLOSED else ""
    return clean(f"{row.estate}/{row.host} {row.remedy} {row.mitigation}: {late}{orphan}{owner}", CELL_LIMIT)


def age(seconds: int | None, units: int = 2) -> str:
    """The largest units: `3d 4h`, `12m 5s`."""
    if seconds is None:
        return "-"
    rest = max(seconds, 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{unit}")
        if len(parts) == units:
            break
    return " ".join(part for part in parts if part[0] != "0") or "0s"


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table on a terminal holds all rows. Lines hold none: `rows` is gone through twice, for their widths first."""
    if sys.stdout.isatty():
        _show_table(columns, list(map(_cleaned, rows)), title)
    else:
        _show_lines(columns, rows, title)


def _cleaned(row: Sequence[str]) -> list[str]:
    return [clean(cell, CELL_LIMIT) for cell in row]


def _show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if _cramped(columns, rows, console.width):
        _show_blocks(console, columns, rows, title)
        return
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in NARROW)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console.print(table)


def _cramped(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table would leave the sentence in the last column too little room to be read."""
    wants = max(len(row[-1]) for row in [columns, *rows])
    return width - sum(size + 2 for size in _widths(columns, rows)) < min(wants, ROOM_FOR_A_SENTENCE)


def _show_blocks(console: "Console", columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """A row a block: its short cells on one line, the sentence below them."""
    from rich.padding import Padding
    from rich.text import Text

    widths = _widths(columns, rows)
    if title:
        console.print(Text(title, style="italic"))
    for row, style in [(columns, "bold"), *((row, "") for row in rows)]:
        cells = [
            Text(cell.ljust(width), style=style or STYLES.get(cell, ""))
            for cell, width in zip(row, widths, strict=False)
        ]
        line = Text("  ").join(cells)
        line.rstrip()
        console.print(line)
        console.print(Padding(Text(row[-1], style=style), (0, 0, 0, 4)))
    console.print()


def _widths(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    """Of all columns but the last."""
    widths = [len(name) for name in columns[:-1]]
    for row in rows:
        widths = [max(width, len(cell)) for width, cell in zip(widths, row, strict=False)]
    return widths


def _show_lines(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> None:
    if title:
        print(title)
    widths = _widths(columns, map(_cleaned, rows))
    for row in chain([columns], map(_cleaned, rows)):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def _flagged(case: Case) -> str:
    shown = [flag.upper() for flag in case.flags if flag in LOUD]
    return " ".join([*shown, case.reason])


def _mitigation(row: Owed) -> str:
    marks = [mark for mark in (row.persists, row.origin) if mark not in ("", "always", "recorded")]
    return f"{row.mitigation} ({', '.join(marks)})" if marks else row.mitigation


def _proven(row: Owed) -> str:
    if row.proof == "pass":
        return f"{age(row.proof_age, 1)} ago"
    lost = row.proof == "lost" or (row.proof == "fail" and row.proof_age is not None)
    return "LOST" if lost else row.proof or "never"


def _waiting(row: Owed) -> str:
    told = row.acceptance
    accepted = f"accepted by {told.by} until {told.until[:10]}: {told.why}" if told else ""
    extended = f"extended by {row.extended.by}: {row.extended.why}" if row.extended else ""
    return "; ".join(part for part in (row.waiting_for, extended, accepted) if part)


def _expiry(row: Owed, now: datetime) -> str:
    left = seconds_since(row.expires_at, now)
    if left is None:
        return "-"
    return f"OVERDUE {age(left, 1)}" if row.overdue else f"in {age(-left, 1)}"
