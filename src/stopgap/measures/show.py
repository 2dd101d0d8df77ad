"""A report as plain JSON values, and as rows for a table a manager can read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stopgap.measures.exposure import STATES, Day
from stopgap.measures.figures import Summary
from stopgap.measures.report import ALL, Due, Group, Report
from stopgap.measures.survival import Curve

TIMES_COLUMNS = ("time to", "cases", "happened", "open", "over", "median", "90th")  # fits 80 columns beside a group
DUE_COLUMNS = ("open", "past due", "accepted", "no date", "share past due")
NOT_REACHED = "not reached yet"
MOST_GROUPS = 30  # in a table; JSON has all
WIDTH = 40  # characters of a sparkline
BARS = "▁▂▃▄▅▆▇█"

Age = Callable[[int], str]


def to_dict(report: Report) -> dict[str, Any]:
    return {
        "all": _group(report.whole),
        "groups": [{"name": name, **_group(report.groups[name])} for name in ordered(report)],
        "exposure": [
            {"day": day.day.isoformat(), **{state: getattr(day, state) for state in STATES}}
            for day in report.exposure.series()
        ],
    }


def ordered(report: Report) -> list[str]:
    """The groups beside ALL, the largest first."""
    return sorted(report.groups.keys() - {ALL}, key=lambda name: (-report.groups[name].cases, name))


def _group(group: Group) -> dict[str, Any]:
    times = {figure: _times(summary) for figure, summary in group.measures.summaries().items()}
    return {"cases": group.cases, "times": times, "due": _due(group.due)}


def _times(summary: Summary) -> dict[str, Any]:
    curve = summary.curve
    return {
        "cases": curve.cases,
        "happened": curve.happened,
        "still_open": summary.open,
        "over_without": summary.left,
        "median_seconds": curve.median,
        "ninetieth_percentile_seconds": curve.ninetieth,
        "curve": [
            {"seconds": step.seconds, "at_risk": step.at_risk, "happened": step.happened, "share_waiting": step.share}
            for step in curve.steps
        ],
    }


def _due(due: Due) -> dict[str, Any]:
    return {
        "open": due.open,
        "past_due": due.past_due,
        "accepted": due.accepted,
        "no_date": due.undated,
        "share_past_due": due.share,
    }


def times_rows(group: Group, age: Age) -> Iterator[tuple[str, ...]]:
    for name, summary in group.measures.summaries().items():
        curve = summary.curve
        counts = (curve.cases, curve.happened, summary.open, summary.left)
        yield (name, *map(str, counts), *(_time(curve, moment, age) for moment in (curve.median, curve.ninetieth)))


def _time(curve: Curve, moment: int | None, age: Age) -> str:
    if not curve.cases:
        return "-"
    return NOT_REACHED if moment is None else age(moment)


def due_row(due: Due) -> tuple[str, ...]:
    share = "-" if due.share is None else f"{due.share:.0%}"
    return (str(due.open), str(due.past_due), str(due.accepted), str(due.undated), share)


def exposure_rows(days: Sequence[Day]) -> Iterator[tuple[str, ...]]:
    """state, sparkline, most (and when), now. A column of the line is the most of its days."""
    for state in STATES:
        counts = [getattr(day, state) for day in days]
        most = max(counts)
        when = f" on {days[counts.index(most)].day}" if most else ""
        yield state, sparkline(counts), f"{most}{when}", str(counts[-1])


def sparkline(counts: Sequence[int]) -> str:
    """Zero is a dot, so that one case among thousands is still seen."""
    width = min(WIDTH, len(counts))
    parts = [counts[place * len(counts) // width : (place + 1) * len(counts) // width] for place in range(width)]
    most = max(counts)
    return "".join("·" if not max(part) else BARS[(len(BARS) * max(part) - 1) // most] for part in parts)


def trimmed(days: Sequence[Day], *, keep: bool) -> Sequence[Day]:
    """Without the days before anything was known; all of them where they were asked for."""
    first = next((place for place, day in enumerate(days) if any(getattr(day, state) for state in STATES)), 0)
    return days if keep else days[first:]
