"""`stopgap measures`: how long it takes, how exposed the fleet was, what is past due."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli.ledger_options import AsJson, Estate, Remedy, nothing, print_json, tell_undelivered
from stopgap.cli.risk_options import Policy, risk_errors, tell_doubts

if TYPE_CHECKING:
    from stopgap.measures.report import Report
    from stopgap.measures.service import Asked


class By(StrEnum):
    team = "team"
    remedy = "remedy"
    severity = "severity"
    estate = "estate"


By_ = Annotated[By | None, typer.Option(help="A line for each of these, beside the one for all.")]
Since = Annotated[str, typer.Option(metavar="DATE", help="Only episodes that began on this day (UTC) or later.")]
Until = Annotated[str, typer.Option(metavar="DATE", help="Only episodes that began on this day (UTC) or earlier.")]


def measures(
    by: By_ = None,
    since: Since = "",
    until: Until = "",
    remedy: Remedy = "",
    estate: Estate = "",
    policy: Policy = None,
    as_json: AsJson = False,
) -> None:
    """Show how long it takes to mitigate, install, take effect and lift; exposure day by day; what is past due."""
    from stopgap.measures.service import Asked, BadSpan, measured
    from stopgap.measures.show import to_dict
    from stopgap.risk.work import find_policy

    asked = Asked(by.value if by else "", _day("--since", since), _day("--until", until), remedy, estate)
    try:
        with risk_errors():
            report = measured(asked, find_policy(policy), datetime.now(UTC))
    except BadSpan as error:
        raise typer.BadParameter(str(error)) from None
    tell_undelivered()
    if report.whole.due.open:
        tell_doubts(report.doubts)
    if as_json:
        print_json({"asked": asked_for(asked), **to_dict(report)})
    elif not report.whole.cases:
        print(_nothing_measured(asked))
    else:
        _show(asked, report)


def _day(option: str, text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date() if text else None
    except ValueError:
        raise typer.BadParameter(f"{option} '{text}' is no day: write it as 2026-11-22") from None


def asked_for(asked: "Asked") -> dict[str, str | None]:
    days = {name: getattr(asked, name) for name in ("since", "until")}
    return {
        "by": asked.by or None,
        **{name: day.isoformat() if day else None for name, day in days.items()},
        "remedy": asked.remedy or None,
        "estate": asked.estate or None,
    }


def _nothing_measured(asked: "Asked") -> str:
    if asked.remedy or asked.estate:
        return "No case matches that was ever affected; `stopgap status` shows all cases."
    return "No case was ever affected, so there is nothing to measure. " + nothing(False)


def _show(asked: "Asked", report: "Report") -> None:
    """Times, then what is past due, each with a line for all and one for each group; then exposure over time."""
    from stopgap.cli import ledger_view as view
    from stopgap.measures import show

    groups = {"all": report.whole, **{name: report.groups[name] for name in show.ordered(report)[: show.MOST_GROUPS]}}
    heading = (asked.by,) if asked.by else ()
    times, due = [], []
    for name, group in groups.items():
        label = (name,) if asked.by else ()
        times += [(*label, *row) for row in show.times_rows(group, view.age)]
        due.append((*label, *show.due_row(group.due)))
    view.show((*heading, *show.TIMES_COLUMNS), times, _title(asked))
    hidden = len(report.groups) - len(groups)
    if hidden:
        print(f"and {hidden} smaller groups: --json has all")
    print()
    view.show((*heading, *show.DUE_COLUMNS), due, "open now")
    print()
    days = show.trimmed(list(report.exposure.series()), keep=asked.since is not None)
    title = f"cases at the end of each day (UTC), {days[0].day} to {days[-1].day}"
    view.show(("state", "day by day", "most", "last day"), list(show.exposure_rows(days)), title)


def _title(asked: "Asked") -> str:
    begun = [f"{word} {day}" for word, day in (("from", asked.since), ("to", asked.until)) if day]
    kept = [part for part in (asked.remedy, asked.estate) if part]
    return " ".join(["episodes that began", *begun, *kept]) if begun else " ".join(["all episodes", *kept])
