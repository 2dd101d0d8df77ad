"""What is known of remedies: by the ledger's own `remedy` events, and where it has none yet by the catalogue."""

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from stopgap.ledger.tables import events
from stopgap.risk.facts import RemedyFacts


def read_remedies(connection: sa.Connection, ids: Iterable[str]) -> dict[str, RemedyFacts]:
    """Every id asked for. The newest revision counts, and of that the newest word."""
    wanted = sorted(set(ids))
    told = _from_ledger(connection, set(wanted))
    return {one: told.get(one) or _from_catalogue(one) for one in wanted}


def _from_ledger(connection: sa.Connection, wanted: set[str]) -> dict[str, RemedyFacts]:
    query = sa.select(events.c.remedy, events.c.revision, events.c.at, events.c.evidence)
    # estate and host are empty only for what is about no host: the index of cases leads there
    query = query.where(events.c.estate == "", events.c.host == "", events.c.kind == "remedy")
    query = query.order_by(events.c.revision, events.c.at, events.c.id)
    newest = {row.remedy: row for row in connection.execute(query) if row.remedy in wanted}
    return {name: _understood(row) for name, row in newest.items()}


def _understood(row: Any) -> RemedyFacts:
    evidence = json.loads(row.evidence)
    source = f"remedy {row.remedy} revision {row.revision}, in the ledger since {row.at[:10]}"
    return remedy_facts(row.remedy, evidence, source)


def _from_catalogue(name: str) -> RemedyFacts:
    from stopgap.remedy.catalogue import find, search_path
    from stopgap.remedy.errors import RemedyError
    from stopgap.remedy.load import load

    try:
        remedy = load(find(name, search_path()))
    except (RemedyError, FileNotFoundError):
        return RemedyFacts(name)
    source = f"remedy {remedy.id} revision {remedy.revision} of the catalogue"
    return remedy_facts(name, remedy.resolved(), source)


def remedy_facts(name: str, told: dict[str, Any], source: str) -> RemedyFacts:
    """From the shape that `remedy` events and resolved remedies share. What is not of its type was not told."""
    risk = told.get("risk")
    risk = risk if isinstance(risk, dict) else {}
    aliases = told.get("aliases")
    impact = risk.get("technical_impact")
    return RemedyFacts(
        id=name,
        title=_text(told.get("title")) or "",
        aliases=tuple(one for one in aliases if isinstance(one, str)) if isinstance(aliases, list) else (),
        published=_text(told.get("published")),
        cvss=_text(risk.get("cvss")),
        automatable=risk["automatable"] if isinstance(risk.get("automatable"), bool) else None,
        technical_impact=impact if impact in ("partial", "total") else None,
        source=source,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
