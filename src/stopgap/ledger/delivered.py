"""What one run brought into the ledger, host by host: for a sync, what nobody had heard of before."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stopgap.ledger.asking import Asked

IN_FORCE = frozenset({"intended", "applied", "lifting"})

NEW = """
    SELECT estate, host, kind, remedy, verdict, at, evidence FROM events
    WHERE run = :run AND host <> '' ORDER BY estate, host, id
"""
# Of the same cases, what other runs told.
KNOWN = """
    SELECT old.estate, old.host, old.evidence FROM events AS old
    WHERE old.kind = 'mitigation' AND old.run <> :run AND EXISTS (
        SELECT 1 FROM events AS new WHERE new.run = :run AND new.kind = 'mitigation'
        AND new.estate = old.estate AND new.host = old.host AND new.remedy = old.remedy
    )
"""


@dataclass(slots=True)
class Found:
    """A mitigation in force that no run ever told the ledger of before. `since` is the host's own word."""

    remedy: str
    entry: str
    mitigation: str = ""
    state: str = ""
    since: str = ""
    step: int = -1  # of its history; the last one says how it stands


@dataclass(slots=True)
class Delivered:
    """`events` are those that were new, the journal's own roll-call not among them."""

    estate: str
    host: str
    events: int = 0
    found: list[Found] = field(default_factory=list)


def delivered(ledger: Asked, run: str) -> list[Delivered]:
    """By estate and host; one with no new event has answered, and told nothing new."""
    hosts: dict[tuple[str, str], Delivered] = {}
    told: dict[tuple[str, str], dict[str, Found]] = defaultdict(dict)
    for estate, host, kind, remedy, verdict, at, evidence in ledger.execute(NEW, {"run": run}):
        one = hosts.setdefault((estate, host), Delivered(estate, host))
        one.events += kind != "journal"
        if kind == "mitigation":
            _hear(told[estate, host], remedy, verdict, at, json.loads(evidence))
    known = _known(ledger.execute(KNOWN, {"run": run}))
    for name, entries in told.items():
        hosts[name].found = [
            one for one in entries.values() if one.state in IN_FORCE and (*name, one.entry) not in known
        ]
    return list(hosts.values())


def _hear(entries: dict[str, Found], remedy: str, verdict: str, at: str, evidence: dict[str, Any]) -> None:
    name, step = evidence.get("entry"), evidence.get("step")
    if evidence.get("found") is not True or not isinstance(name, str):
        return
    one = entries.setdefault(name, Found(remedy, name, mitigation=str(evidence.get("mitigation") or "")))
    if verdict == "applied" and (not one.since or at < one.since):
        one.since = at
    if isinstance(step, int) and step > one.step:
        one.state, one.step = verdict, step


def _known(rows: Iterable[Any]) -> set[tuple[str, str, str]]:
    return {(estate, host, str(json.loads(evidence).get("entry"))) for estate, host, evidence in rows}
