"""The table of a run, kept in docs/reference/faults.md between two marks; what people wrote around it stays."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.faults.play import LOST_LOCK, Record, StepRecord
from tests.faults.table import FAULTS

BEGIN, END = "<!-- begin: written by make faults -->", "<!-- end: written by make faults -->"


def write_report(page: Path, records: Sequence[Record]) -> None:
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(records)}{END}{after}")


def table(records: Sequence[Record]) -> str:
    rows = [_row(name, records) for name in FAULTS]
    head = [
        _when_and_where(records),
        "",
        "| fault | how | drawn | struck | in force then | not in a ledger yet after the step | lost after the sync |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, _total(records), ""])


def _when_and_where(records: Sequence[Record]) -> str:
    seeds = [record.schedule.seed for record in records]
    backends = [record.schedule.backend for record in records]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    minutes = sum(record.seconds for record in records) / 60
    stuck = sum(LOST_LOCK in one.said for record in records for one in record.steps)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, seeds {min(seeds)} to {max(seeds)}: {len(records)} schedules, "
        f"{sum(len(record.steps) for record in records)} steps, {backends.count('sqlite')} with an SQLite ledger for "
        f"each laptop, {backends.count('postgresql')} with one PostgreSQL ledger for both; {minutes:.0f} minutes on "
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, Python "
        f"{platform.python_version()}, ansible-core {version('ansible-core')}. Schedules with findings: "
        f"{sum(bool(record.findings) for record in records)}; commands that a lock lost by Ansible held up: {stuck}."
    )


def _row(name: str, records: Sequence[Record]) -> str:
    steps = [one for record in records for one in record.steps if one.step.fault == name]
    lost = sum(record.lost for record in records if any(one.step.fault == name for one in record.steps))
    counts = [*_counts(steps), lost]
    return f"| {name} | {FAULTS[name].what} | {' | '.join(map(str, counts))} |"


def _total(records: Sequence[Record]) -> str:
    counts = _counts([one for record in records for one in record.steps if one.step.fault])
    held = sum(record.held for record in records)
    total = f"| **all** | {held} mitigations in force at the ends | {' | '.join(map(str, counts))} "
    return f"{total}| **{sum(record.lost for record in records)}** |"


def _counts(steps: Sequence[StepRecord]) -> list[int]:
    struck = [one for one in steps if one.struck]
    return [len(steps), len(struck), sum(one.held_then for one in struck), sum(one.unrecorded for one in struck)]
