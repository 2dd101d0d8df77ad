"""The Kaplan-Meier estimate: how many are still waiting after a time, where those that wait still are counted too.

Pure. Kaplan and Meier 1958; at a tie, what happened comes before what is still open. Durations are whole seconds.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

# The share is a product of fractions: half of the cases must count as half, whatever the last bit says.
ROUNDING = 1e-12
LONGEST = 2**32 - 1  # 136 years, in four bytes
MOST_STEPS = 2000  # kept of one curve: every one, or of very many every so many


class Durations:
    """Many durations in four bytes each: a fleet has millions of cases."""

    def __init__(self) -> None:
        self.happened = array("I")
        self.censored = array("I")

    def add(self, seconds: int, happened: bool) -> None:
        """`happened` false: still open after that time, which is all that is known of it. Below zero counts as zero."""
        (self.happened if happened else self.censored).append(min(max(seconds, 0), LONGEST))


@dataclass(frozen=True, slots=True)
class Step:
    """At `seconds` it `happened` to so many of those `at_risk`; `share` are still waiting after that."""

    seconds: int
    at_risk: int
    happened: int
    share: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Starts at a share of 1 and falls only at its steps. `median` and `ninetieth` are the first times after which it
    has happened to half, and to nine in ten; None where the curve never gets there.
    """

    happened: int
    censored: int
    median: int | None
    ninetieth: int | None
    steps: tuple[Step, ...]

    @property
    def cases(self) -> int:
        return self.happened + self.censored


def estimate(durations: Durations) -> Curve:
    happened = len(durations.happened)
    every = -(-happened // MOST_STEPS)
    reached: dict[float, int] = {}
    kept: list[Step] = []
    for place, step in enumerate(_steps(durations)):
        for share in (0.5, 0.1):
            if step.share <= share + ROUNDING:
                reached.setdefault(share, step.seconds)
        if place % every == 0:
            kept.append(step)
        last = step
    if kept and kept[-1] is not last:
        kept.append(last)
    return Curve(happened, len(durations.censored), reached.get(0.5), reached.get(0.1), tuple(kept))


def _steps(durations: Durations) -> Iterator[Step]:
    """Between two cases that drop out open, the product is one fraction: kept so, it does not gather rounding."""
    censored = sorted(durations.censored)
    waiting, dropped = len(durations.happened) + len(censored), 0
    base, of = 1.0, waiting
    for seconds, group in groupby(sorted(durations.happened)):
        here, dropped_before = len(list(group)), bisect_left(censored, seconds)
        if dropped_before > dropped:
            base, waiting = base * waiting / of, waiting - (dropped_before - dropped)
            of, dropped = waiting, dropped_before
        yield Step(seconds, waiting, here, base * (waiting - here) / of)
        waiting -= here
