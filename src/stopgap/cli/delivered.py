"""What a sync brought, told host by host. A host's words are text, and short."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stopgap.cli.ledger_options import ledger_errors, many
from stopgap.ledger.events import clean

if TYPE_CHECKING:
    from stopgap.ledger.delivered import Delivered, Found

MOST = 60  # hosts; JSON has all
NAME_LIMIT = 100


def told_delivered(run: str) -> list[dict[str, Any]]:
    """All of it, for JSON."""
    return [asdict(one) for one in _read(run)]


def tell_delivered(run: str) -> None:
    hosts = _read(run)
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


def _read(run: str) -> "list[Delivered]":
    from stopgap.ledger.readers import brought_by

    with ledger_errors():
        return brought_by(run)
