"""The estimate against published numbers, against exact fractions, and its laws."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.measures.makers import curve_of

from stopgap.measures.survival import MOST_STEPS, Durations, estimate

# Freireich et al., Blood 21 (1963) 699: weeks in remission of 42 children with leukaemia, half of them under
# 6-mercaptopurine. The estimates are in every textbook of survival analysis (Collett; Kleinbaum & Klein, table 2.2).
TREATED = [(6, True)] * 3 + [(weeks, True) for weeks in (7, 10, 13, 16, 22, 23)]
TREATED += [(weeks, False) for weeks in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)]
PLACEBO = [(weeks, True) for weeks in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)]


def test_the_published_curve_of_the_treated():
    curve = curve_of(TREATED)
    seen = [(step.seconds, step.at_risk, step.happened, round(step.share, 4)) for step in curve.steps]
    assert seen == [
        (6, 21, 3, 0.8571),
        (7, 17, 1, 0.8067),
        (10, 15, 1, 0.7529),
        (13, 12, 1, 0.6902),
        (16, 11, 1, 0.6275),
        (22, 7, 1, 0.5378),
        (23, 6, 1, 0.4482),
    ]
    assert (curve.cases, curve.happened, curve.censored) == (21, 9, 12)
    assert curve.median == 23
    assert curve.ninetieth is None


def test_the_published_curve_of_the_placebo():
    curve = curve_of(PLACEBO)
    assert (curve.median, curve.ninetieth, curve.censored) == (8, 17, 0)
    shares = {step.seconds: round(step.share, 4) for step in curve.steps}
    assert {weeks: shares[weeks] for weeks in (1, 5, 8, 12, 22, 23)} == {
        1: 0.9048,
        5: 0.5714,
        8: 0.3810,
        12: 0.1905,
        22: 0.0476,
        23: 0.0,
    }


def test_dropping_the_open_ones_would_lie():
    assert curve_of(pair for pair in TREATED if pair[1]).median == 10


@pytest.mark.parametrize("many", [2, 6, 10, 14, 98, 1002])
def test_half_is_half_whatever_the_last_bit_says(many):
    assert curve_of((seconds, True) for seconds in range(1, many + 1)).median == many // 2


def test_nobody_is_no_curve():
    curve = estimate(Durations())
    assert (curve.cases, curve.median, curve.ninetieth, curve.steps) == (0, None, None, ())


PAIRS = st.lists(st.tuples(st.integers(0, 60) | st.integers(0, 10**8), st.booleans()), max_size=60)


def by_definition(pairs):
    """The product limit as the paper writes it, in exact fractions."""
    share, points = Fraction(1), []
    for moment in sorted({seconds for seconds, happened in pairs if happened}):
        at_risk = sum(seconds >= moment for seconds, _ in pairs)
        here = pairs.count((moment, True))
        share *= Fraction(at_risk - here, at_risk)
        points.append((moment, at_risk, here, share))
    return points


@given(PAIRS)
def test_it_is_the_product_limit(pairs):
    exact, curve = by_definition(pairs), curve_of(pairs)
    assert [(step.seconds, step.at_risk, step.happened) for step in curve.steps] == [point[:3] for point in exact]
    assert [step.share for step in curve.steps] == pytest.approx([float(point[3]) for point in exact], abs=1e-12)
    assert curve.median == next((point[0] for point in exact if point[3] <= Fraction(1, 2)), None)
    assert curve.ninetieth == next((point[0] for point in exact if point[3] <= Fraction(1, 10)), None)


@given(PAIRS)
def test_the_curve_only_falls_and_stays_between_one_and_nothing(pairs):
    shares = [1.0, *(step.share for step in curve_of(pairs).steps)]
    assert all(0.0 <= later < earlier <= 1.0 for earlier, later in pairwise(shares))


@given(PAIRS)
def test_where_nothing_ever_happened_there_is_no_median(pairs):
    curve = curve_of((seconds, False) for seconds, _ in pairs)
    assert (curve.median, curve.ninetieth, curve.happened, curve.censored) == (None, None, 0, len(pairs))


@given(PAIRS, st.integers(0, 10**8))
def test_one_more_open_case_never_shortens_the_median(pairs, seconds):
    before, after = curve_of(pairs).median, curve_of([*pairs, (seconds, False)]).median
    assert before is None or after is None or after >= before
    assert before is not None or after is None


@given(PAIRS, st.randoms())
def test_the_order_of_the_cases_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    assert curve_of(shuffled) == curve_of(pairs)


def test_a_curve_of_very_many_keeps_its_ends_and_its_median():
    curve = curve_of((seconds, True) for seconds in range(1, 10_001))
    assert len(curve.steps) <= MOST_STEPS + 1
    assert (curve.steps[0].seconds, curve.steps[-1].seconds) == (1, 10_000)
    assert (curve.median, curve.ninetieth, curve.happened) == (5_000, 9_000, 10_000)
