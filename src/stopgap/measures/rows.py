"""Reading what the measures need of the cases, a row at a time: a fleet's backlog is never in memory."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from stopgap.ledger import folded
from stopgap.ledger.projection import last_known
from stopgap.ledger.tables import cases

AT_ONCE = 2000  # rows fetched at a time
PLAIN = (
    "estate", "host", "remedy", "owner", "exposure", "criticality", "state", "since", "held", "protected_until",
    "accepted_until", "episodes", "exposed_at", "mitigated_at", "installed_at", "effective_at", "lifted_at",
    "closed_at",
)  # fmt: skip
COLUMNS = (*PLAIN, "ended_at", "known")
FOLD_OF_UNKNOWN = sa.case((cases.c.state == "unknown", cases.c.folded), else_="").label("fold")


def affected(connection: sa.Connection, *, estate: str = "", remedy: str = "") -> Iterator[dict[str, Any]]:
    """Every case that was ever affected, as a dict of COLUMNS. An empty filter takes all."""
    query = sa.select(*(cases.c[name] for name in PLAIN), FOLD_OF_UNKNOWN).where(*_wanted(estate, remedy))
    for row in connection.execute(query.execution_options(yield_per=AT_ONCE)).mappings():
        told = dict(row)
        told["ended_at"] = told["closed_at"]
        told["known"] = _known(told.pop("fold"), told["state"])
        told["episodes"] = json.loads(told["episodes"]) if told["episodes"] != "[]" else []
        yield told


def _known(fold: str, state: str) -> str:
    """Empty of a silent host that another version of stopgap has kept."""
    kept = folded.from_text(fold) if fold else None
    return last_known(kept) if kept else "" if state == "unknown" else state


def remedies(connection: sa.Connection, *, estate: str = "", remedy: str = "") -> list[str]:
    """The remedies of those cases."""
    return list(connection.scalars(sa.select(cases.c.remedy).distinct().where(*_wanted(estate, remedy))))


def _wanted(estate: str, remedy: str) -> list[sa.ColumnElement[bool]]:
    wanted = {"estate": estate, "remedy": remedy}
    return [cases.c.exposed_at.is_not(None), *(cases.c[name] == value for name, value in wanted.items() if value)]
