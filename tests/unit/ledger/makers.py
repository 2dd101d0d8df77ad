"""Events written short: `{mitigation: applied, entry: E1}` at the n-th minute, and all the rest filled in."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from stopgap.ledger.events import KINDS, OF_NOBODY, Event, parse_event

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUN = "01a1ff3a-cf6e-7395-9742-248dd26742d3"
# For what is about SQLite's file, and for what shows the same whatever the backend: the fixture `state` runs on both.
only_sqlite = pytest.mark.parametrize("state", ["sqlite"], indirect=True)
_numbers = itertools.count(1)


def moment(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_id(number: int) -> str:
    return f"01a1ff3a-cf6e-7395-9742-{number:012x}"


def raw_event(**changes) -> dict:
    """A good event as the callback writes it, with these fields changed."""
    return {
        "id": event_id(next(_numbers)),
        "at": moment(0),
        "estate": "default",
        "host": "web1",
        "remedy": "CVE-1",
        "revision": 1,
        "kind": "assessed",
        "verdict": "exposed",
        "reason": "nginx 1 < 2",
        "evidence": {"code": "below_fixed"},
        "actor": "ann",
        "run": RUN,
        "origin": "laptop",
        **changes,
    }


def event(**changes) -> Event:
    return parse_event(raw_event(**changes))


def short_event(minute: int, said: dict) -> Event:
    """From a case file: the key that is a kind holds the verdict; reason and times apart, the rest is evidence."""
    said = dict(said)
    kind = next(key for key in said if key in KINDS and not (key == "mitigation" and "verified" in said))
    verdict = said.pop(kind)
    at, reason = said.pop("at", minute), said.pop("reason", "")
    if said.pop("nothing_held", False):
        said["mitigation"] = None  # as a host says whose journal has nothing of the remedy in force
    if "evidence_mitigation" in said:
        in_effect = said.pop("in_effect", said.get("code") != "mitigation_lost")
        said["mitigation"] = {"id": "m", "entry": said.pop("evidence_mitigation"), "in_force": in_effect}
    if kind == "mitigation":
        said["mitigation"] = said.pop("mitigation_id", "m")
        said["heard_at"] = moment(said.pop("heard", minute))
    for key in ("until", "expires_at", "extends_to"):
        if isinstance(said.get(key), int):
            said[key] = moment(said[key])
    nobody = {"estate": "", "host": ""} if kind in OF_NOBODY else {}
    return event(
        kind=kind,
        verdict=verdict,
        at=moment(at),
        reason=reason,
        revision=said.pop("revision", 0 if kind == "journal" else 1),
        evidence=said,
        remedy="" if kind == "journal" else "CVE-1",
        **nobody,
    )
