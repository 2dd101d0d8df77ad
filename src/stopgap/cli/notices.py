"""Hosts that were rebuilt, renamed or cloned, told beside what a command shows. On stderr: they are no part of it."""

import sys
from typing import TYPE_CHECKING, Any

from stopgap.cli.ledger_options import ledger_errors

if TYPE_CHECKING:
    from stopgap.ledger.notices import Notice

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


def _read(host: str, estate: str) -> "list[Notice]":
    """None where there is no ledger yet. Ends the command with 1 where it cannot be read."""
    from stopgap.ledger.readers import current_notices

    with ledger_errors():
        return current_notices(host=host, estate=estate)
