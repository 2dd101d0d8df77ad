"""What counts as which time, and how long each state lasted: one file a behaviour, one runner."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from tests.unit.measures.makers import row, seconds

from stopgap.measures.episodes import episodes_of
from stopgap.measures.exposure import Exposure
from stopgap.measures.figures import FIGURES

CASES = Path(__file__).parents[2] / "cases" / "measures"
DAY = 86400


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_measures(path):
    check(yaml.safe_load(path.read_text()))


def check(told):
    """A case of this shape, also those of the reference."""
    episodes = list(episodes_of(row(told["case"]), seconds(told["now"])))
    for name, wanted in told.get("times", {}).items():
        assert [said(FIGURES[name](one, seconds(told["now"]))) for one in episodes] == wanted, name
    if "days" in told:
        assert series(episodes, told) == told["days"]


def said(figure):
    """`happened 2.5`, in days."""
    return None if figure is None else f"{figure.outcome} {figure.seconds / DAY:g}"


def series(episodes, told):
    """The state at the end of each day of March up to the last one told, which is counted as of now."""
    exposure = Exposure(date(2026, 3, 1), date(2026, 3, len(told["days"])), seconds(told["now"]))
    for episode in episodes:
        exposure.add(episode)
    shown = [[name for name in ("exposed", "mitigated", "patched") if getattr(day, name)] for day in exposure.series()]
    return [" ".join(states) or "-" for states in shown]


def test_the_last_day_must_not_be_before_the_first():
    with pytest.raises(ValueError, match="after the last"):
        Exposure(date(2026, 3, 2), date(2026, 3, 1), seconds(5))
