"""The Kaplan-Meier estimate: how many are still waiting after a time, where those that wait still are counted too.

Pure. Kaplan and Meier 1958; at a tie, what happened comes before what is still open. Durations are whole seconds.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

# The share is a product of fractions: half of the cases must count as half, whatever the last bit says.
ROUNDING = 1e-12
LONGEST = 2**32 - 1  # 136 years, in four bytes


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
    """Starts at a share of 1 and falls only at its steps."""

    happened: int
    censored: int
    steps: tuple[Step, ...]

    @property
    def cases(self) -> int:
        return self.happened + self.censored

    @property
    def median(self) -> int | None:
        return self.time_until(0.5)

    @property
    def ninetieth(self) -> int | None:
        return self.time_until(0.9)

    def time_until(self, done: float) -> int | None:
        """The first time after which it has happened to this share; None where the curve never gets there."""
        return next((step.seconds for step in self.steps if step.share <= 1 - done + ROUNDING), None)

    def share_after(self, seconds: int) -> float:
        """The share that is still waiting after so many seconds."""
        passed = bisect_left(self.steps, seconds + 1, key=lambda step: step.seconds)
        return self.steps[passed - 1].share if passed else 1.0


def estimate(durations: Durations) -> Curve:
    return Curve(len(durations.happened), len(durations.censored), tuple(_steps(durations)))


def estimate_pairs(pairs: Iterable[tuple[int, bool]]) -> Curve:
    """From (seconds, happened) pairs."""
    durations = Durations()
    for seconds, happened in pairs:
        durations.add(seconds, happened)
    return estimate(durations)


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
