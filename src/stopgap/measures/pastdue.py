"""Is an open case past due? As `stopgap risk` judges it."""

from dataclasses import dataclass, fields
from typing import Any

from stopgap.measures.report import Overdue, Row
from stopgap.risk.order import Judge


@dataclass(frozen=True, slots=True)
class Subject:
    """What the judge asks of a case."""

    estate: str
    host: str
    remedy: str
    state: str
    exposed_at: str | None
    accepted_until: str | None
    exposure: str
    criticality: str
    owner: str
    flags: tuple[str, ...] = ()
    closed_at: str | None = None  # only open ones are asked about


ASKED = tuple(field.name for field in fields(Subject) if field.name not in ("flags", "closed_at"))


def overdue_by(judge: Judge) -> Overdue:
    def overdue(row: Row) -> bool | None:
        known: dict[str, Any] = {name: row[name] for name in ASKED}
        due = judge.judge(Subject(**known)).due
        return None if due is None or due.due_at is None else due.overdue

    return overdue
