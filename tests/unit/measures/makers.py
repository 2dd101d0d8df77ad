"""Rows of cases written short: `{state: fixed, exposed: 1, effective: 3.5}` in days of March 2026."""

from datetime import UTC, datetime, timedelta

from stopgap.measures.survival import Durations, estimate

ZERO = datetime(2026, 2, 28, tzinfo=UTC)  # so that day 1 is the first of March, at midnight
CLOCKS = ("exposed", "mitigated", "installed", "effective", "lifted")


def moment(day):
    return None if day is None else (ZERO + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(day):
    return int((ZERO + timedelta(days=day)).timestamp())


def clocks(told):
    return {f"{name}_at": moment(told.get(name)) for name in (*CLOCKS, "ended")}


def row(told):
    """What reading a case gives. `since` is the last of its clocks where it is not told."""
    known = [told[name] for name in CLOCKS[:-1] if name in told]
    return {
        "estate": told.get("estate", "default"),
        "host": told.get("host", "web1"),
        "remedy": told.get("remedy", "CVE-1"),
        "owner": told.get("owner", ""),
        "state": told["state"],
        "known": told.get("known", told["state"]),
        "since": moment(told.get("since", max(known, default=1))),
        "held": told.get("held", 0),
        "protected_until": moment(told.get("protected_until")),
        "accepted_until": moment(told.get("accepted_until")),
        "episodes": [clocks(one) for one in told.get("earlier", [])],
        **clocks(told),
    }


def curve_of(pairs):
    """The curve of (seconds, happened) pairs."""
    durations = Durations()
    for seconds, happened in pairs:
        durations.add(seconds, happened)
    return estimate(durations)
