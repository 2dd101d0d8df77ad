"""The worked examples of the reference are what the code computes."""

import re
from pathlib import Path

import pytest
import yaml
from tests.unit.measures.makers import curve_of
from tests.unit.measures.test_figures import DAY, check

from stopgap.measures.show import NOT_REACHED

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "measures.md"
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)]


@pytest.mark.parametrize("told", [one for one in EXAMPLES if "case" in one], ids=lambda told: str(told["case"]))
def test_an_episode_s_times(told):
    check(told)


def test_every_time_has_an_example():
    shown = {name for one in EXAMPLES for name in one.get("times", {})}
    assert shown == {"mitigate", "install", "effect", "lift"}
    assert any("days" in one for one in EXAMPLES)


def test_the_curve():
    (told,) = [one["curve"] for one in EXAMPLES if "curve" in one]
    pairs = [(days * DAY, name == "happened") for name in ("happened", "open") for days in told[name]]
    curve = curve_of(pairs)
    assert {step.seconds // DAY: round(step.share, 4) for step in curve.steps} == told["waiting"]
    assert curve.median == told["median"] * DAY
    assert (curve.ninetieth, told["ninetieth"]) == (None, NOT_REACHED)
    assert curve_of(pair for pair in pairs if pair[1]).median == 3 * DAY
