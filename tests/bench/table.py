"""The bench's results as a table: what was measured, against which limit, on which machine."""

import os
import platform
import sqlite3
from dataclasses import dataclass, field
from importlib.metadata import version

WIDTHS = (62, 26, 14)


@dataclass
class Table:
    """Only rows with a limit decide; the others are for orientation, since machines differ."""

    title: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def figure(self, what: str, value: str) -> None:
        self.rows.append((what, value, "", ""))

    def ratio(self, what: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
        holds = (least is None or value >= least) and (most is None or value <= most)
        limit = f">= {least:.2f}" if least is not None else f"<= {most:.2f}"
        self.rows.append((what, f"{value:.2f}", limit, "ok" if holds else "NOT OK"))
        if not holds:
            self.failed.append(f"{what}: {value:.2f}, limit {limit}")

    def __str__(self) -> str:
        lines = ["", self.title, machine(), ""]
        for what, value, limit, verdict in self.rows:
            lines.append(f"{what:{WIDTHS[0]}} {value:>{WIDTHS[1]}} {limit:>{WIDTHS[2]}} {verdict}".rstrip())
        return "\n".join(lines) + "\n"


def machine() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({_cpu()}), {pages * size / 2**30:.0f} GB, load {load}; Python "
        f"{platform.python_version()}, SQLAlchemy {version('sqlalchemy')}, SQLite {sqlite3.sqlite_version}"
    )


def _cpu() -> str:
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
