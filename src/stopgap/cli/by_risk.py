"""`stopgap status --by-risk` and `--fail-on`: open cases in the order of work, and whether a due date was breached."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from stopgap.cli import ledger_view as view
from stopgap.cli.ledger_options import print_json, tell_undelivered
from stopgap.cli.risk_options import FailOn, risk_errors, tell_doubts
from stopgap.cli.risk_view import due_cell
from stopgap.ledger import debts
from stopgap.ledger.events import clean
from stopgap.risk import work as risk
from stopgap.risk.explain import due_dict
from stopgap.risk.order import Rank, Ranked
from stopgap.risk.work import Work

COLUMNS = ("host", "remedy", "state", "due", "why")
NAMED = 10  # breaches told one by one
MOST = 200  # rows, unless told otherwise


def ask(filters: dict[str, str], policy: Path | None) -> Work:
    """Ends the command with 1 where the ledger or the policy cannot be read; doubts go to stderr."""
    with risk_errors():
        found = risk.work(risk.find_policy(policy), debts.utc_now(), **filters)
    tell_undelivered()
    tell_doubts(found.doubts)
    return found


def show(work: Work, *, as_json: bool, limit: int = MOST) -> None:
    """The first `limit` cases, 0 for all; JSON has them all."""
    if as_json:
        rows = [_as_dict(one, work) for one in work.ranked]
        print_json({"work": rows, "summary": _counts(work), "doubts": list(work.doubts)})
        return
    if not work.ranked:
        print("No open case here: nothing to do, or nothing assessed yet; `stopgap status` shows all cases.")
        return
    shown = work.ranked[: limit or None]
    view.show(COLUMNS, _rows(work, shown))
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in _counts(work).items())
    if len(shown) < len(work.ranked):
        more = len(work.ranked) - len(shown)
        print(f"and {more} more: --limit 0 shows all, --json writes all, --host, --remedy and --estate narrow it")
    print(f"{counts}\n`stopgap risk explain HOST CVE` tells one whole story")


def tell_breaches(work: Work, fail_on: FailOn) -> bool:
    """True where there are any; they are named on stderr, the most urgent first."""
    breaches = [one for one in work.ranked if _breaches(one, fail_on)]
    named = breaches[:NAMED]
    for host, one in zip(_hosts(named), named, strict=True):
        cells = clean(f"{host} {one.case.remedy}", 300)
        print(f"stopgap: {cells}: {due_cell(one.judged.due, work.now)}; {clean(one.why, 300)}", file=sys.stderr)
    if breaches:
        noun = "case is" if len(breaches) == 1 else "cases are"
        what = "past due" if fail_on is FailOn.overdue else "exposed"
        print(f"stopgap: {len(breaches)} {noun} {what}, and nobody has accepted that", file=sys.stderr)
    return bool(breaches)


def _breaches(one: Ranked, fail_on: FailOn) -> bool:
    if fail_on is FailOn.overdue:
        return one.breached
    return one.case.state == "exposed" and one.rank is not Rank.ACCEPTED


def _rows(work: Work, ranked: list[Ranked]) -> list[tuple[str, ...]]:
    return [
        (host, one.case.remedy, one.case.state, due_cell(one.judged.due, work.now), one.why)
        for host, one in zip(_hosts(ranked), ranked, strict=True)
    ]


def _hosts(ranked: list[Ranked]) -> list[str]:
    """Their names, with the estate where there are several."""
    several = len({one.case.estate for one in ranked}) > 1
    return [f"{one.case.estate}/{one.case.host}" if several else one.case.host for one in ranked]


def _counts(work: Work) -> dict[str, int]:
    ranks = Counter(one.rank for one in work.ranked)
    return {
        "open": len(work.ranked),
        "alarms": ranks[Rank.ALARM],
        "exploited": ranks[Rank.EXPLOITED],
        "past_due": sum(one.breached for one in work.ranked),
        "accepted": ranks[Rank.ACCEPTED],
    }


def _as_dict(one: Ranked, work: Work) -> dict[str, Any]:
    case, due = one.case, one.judged.due
    return {
        "estate": case.estate,
        "host": case.host,
        "remedy": case.remedy,
        "state": case.state,
        "flags": list(case.flags),
        "rank": one.rank.name.lower(),
        "due": due_dict(due, work.now) if due else None,
        "why": one.why,
        "epss": one.judged.facts.epss,
        "exposure": one.judged.facts.exposure,
        "criticality": one.judged.facts.criticality,
        "owner": case.owner,
        "accepted_until": case.accepted_until,
    }
