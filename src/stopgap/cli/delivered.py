"""What a sync brought, told host by host. A host's words are text, and short."""

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stopgap.cli.ledger_options import ledger_errors, many
from stopgap.ledger.events import clean
from stopgap.ledger.paths import spool_dir

if TYPE_CHECKING:
    from stopgap.ledger.delivered import Delivered, Found

MOST = 60  # hosts; JSON has all
MOST_NAMES = 5  # in one sentence
MOMENT = 5.0  # seconds
NAME_LIMIT = 100


def told_delivered(hosts: "list[Delivered]") -> list[dict[str, Any]]:
    """All of it, for JSON."""
    return [asdict(one) for one in hosts]


def tell_delivered(hosts: "list[Delivered]") -> None:
    news = [one for one in hosts if one.events]
    several = len({one.estate for one in hosts}) > 1
    for one in sorted(news, key=lambda one: not one.found)[:MOST]:
        name = clean(f"{one.estate}/{one.host}" if several else one.host, NAME_LIMIT)
        print(f"{name}: {many(one.events, 'new event')}")
        for each in one.found:
            print(f"{name}: {_found(each)}")
    if len(news) > MOST:
        print(f"and {many(len(news) - MOST, 'host')} more with new events: `stopgap sync --json` has all")
    if len(hosts) > len(news):
        print(f"{many(len(hosts) - len(news), 'host')}: nothing new")


def _found(one: "Found") -> str:
    what = clean(f"mitigation {one.mitigation or one.entry} of {one.remedy}", NAME_LIMIT)
    since = f" since {one.since[:10]} {one.since[11:16]} UTC" if one.since else ""
    return f"found {what}, in force{since}: the ledger had not heard of it"


def read_delivered(run: str, journals: set[str]) -> "tuple[list[Delivered], list[str]]":
    """What the run brought, and whose journal was read and did not come. Ends the command with 1 without a ledger.

    Its spool file may be in the hands of another command's delivery, which is given a moment.
    """
    from stopgap.ledger.readers import brought_by

    end = time.monotonic() + MOMENT
    while True:
        delivered_or_kept = not any(spool_dir().glob(f"{run}*.jsonl")) or time.monotonic() > end
        with ledger_errors():
            hosts = brought_by(run)
        missing = sorted(journals - {one.host for one in hosts})
        if not missing or delivered_or_kept:
            return hosts, missing
        time.sleep(0.1)


def tell_missing(hosts: list[str]) -> None:
    names = ", ".join(clean(one, NAME_LIMIT) for one in hosts[:MOST_NAMES])
    more = f" and {len(hosts) - MOST_NAMES} more" * (len(hosts) > MOST_NAMES)
    print(
        f"stopgap: read, and not in the ledger: the journals of {many(len(hosts), 'host')} ({names}{more}). "
        "Where no warning above says why, another delivery is at it; else mend it and sync again",
        file=sys.stderr,
    )
