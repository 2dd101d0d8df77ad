"""Hosts that were rebuilt, renamed or cloned, told beside what a command shows. On stderr: they are no part of it."""

import sys
from typing import Any

from stopgap.cli.ledger_options import ledger_errors

SHOWN = 5  # sentences; JSON has all


def told_notices(*, host: str = "", estate: str = "") -> list[dict[str, Any]]:
    """All of them, for JSON."""
    return [
        {
            "kind": one.kind,
            "estate": one.name.estate,
            "host": one.name.host,
            "others": [{"estate": other.estate, "host": other.host} for other in one.others],
            "since": one.since,
            "sentence": one.sentence,
        }
        for one in _read(host, estate)
    ]


def tell_notices(*, host: str = "", estate: str = "") -> None:
    from stopgap.ledger.events import clean

    found = _read(host, estate)
    for one in found[:SHOWN]:
        print(f"stopgap: {one.kind}: {clean(one.sentence, 1000)}", file=sys.stderr)
    if len(found) > SHOWN:
        print(f"stopgap: and {len(found) - SHOWN} more such notices: `stopgap status --json`", file=sys.stderr)


def _read(host: str, estate: str) -> list[Any]:
    """None where there is no ledger yet. Ends the command with 1 where it cannot be read."""
    from stopgap.ledger.debts import utc_now
    from stopgap.ledger.notices import read_notices
    from stopgap.ledger.store import exists, open_ledger, reading

    with ledger_errors():
        if not exists():
            return []
        with reading(open_ledger()) as connection:
            return read_notices(connection, utc_now(), host=host, estate=estate)
