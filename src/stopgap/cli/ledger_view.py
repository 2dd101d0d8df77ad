"""Cases and debts as text: a table on a terminal, aligned lines elsewhere. Nothing a host said is ever markup."""

import sys
from collections.abc import Sequence

from stopgap.ledger.case import Case
from stopgap.ledger.debts import Owed, seconds_since, utc_now
from stopgap.ledger.events import clean

CELL_LIMIT = 300
STYLES = {"fixed": "green", "not_affected": "dim", "mitigated": "yellow", "patched": "yellow", "exposed": "bold red"}

NARROW = ("state", "since", "age", "expires", "proven", "remedy")  # these stay on one line

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


def debt_rows(rows: Sequence[Owed]) -> list[tuple[str, ...]]:
    several = len({row.estate for row in rows}) > 1
    return [
        (
            f"{row.estate}/{row.host}" if several else row.host,
            row.remedy,
            row.mitigation + ("" if row.persists in ("", "always") else f" ({row.persists})"),
            age(row.age),
            _expiry(row),
            row.owner or "-",
            f"{age(row.proof_age, 1)} ago" if row.proof == "pass" else row.proof or "never",
            row.waiting_for,
        )
        for row in rows
    ]


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
    return " ".join(part for part in parts[:units] if part[0] != "0") or "0s"


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    rows = [[clean(cell, CELL_LIMIT) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_table(columns, rows, title)
    else:
        _show_lines(columns, rows, title)


def _show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in NARROW)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def _show_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    if title:
        print(title)
    widths = [max(len(row[place]) for row in [columns, *rows]) for place in range(len(columns) - 1)]
    for row in [columns, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def _flagged(case: Case) -> str:
    shown = [flag.upper() for flag in case.flags if flag == "regressed"]
    return " ".join([*shown, case.reason])


def _expiry(row: Owed) -> str:
    left = seconds_since(row.expires_at, utc_now())
    if left is None:
        return "-"
    return f"OVERDUE {age(left, 1)}" if row.overdue else f"in {age(-left, 1)}"
