"""How many cases were exposed, mitigated or patched at the end of each day (UTC); today is counted as of now.

From the clocks alone: a mitigation that was lost and put back within an episode is not seen; how a case stands now is.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from stopgap.measures.episodes import Episode

STATES = ("exposed", "mitigated", "patched")
CLOSED = ""
Stretch = tuple[str, int, int | None]  # state, from, until (None: it goes on)


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    exposed: int
    mitigated: int
    patched: int


class Exposure:
    """Differences from day to day are kept, not cases. Raises ValueError when `first` is after `last`."""

    def __init__(self, first: date, last: date, now: int) -> None:
        if first > last:
            raise ValueError("the first day is after the last")
        self.days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
        self.moments = [min(_end_of(day), now) for day in self.days]
        self.changes = {state: [0] * (len(self.days) + 1) for state in STATES}

    def add(self, episode: Episode) -> None:
        for state, begin, end in stretches(episode):
            first = bisect_left(self.moments, begin)
            last = len(self.days) if end is None else bisect_left(self.moments, end)
            if first < last:
                self.changes[state][first] += 1
                self.changes[state][last] -= 1

    def series(self) -> Iterator[Day]:
        counts = dict.fromkeys(STATES, 0)
        for place, day in enumerate(self.days):
            for state in STATES:
                counts[state] += self.changes[state][place]
            yield Day(day, **counts)


def stretches(episode: Episode) -> Iterator[Stretch]:
    """How the episode went: each begins where the one before ends, none is empty. Closed times are left out."""
    marks = [
        ("exposed", episode.exposed),
        ("mitigated", episode.mitigated),
        ("patched", episode.installed),
        (CLOSED, episode.effective),
        (CLOSED, episode.ended),
    ]
    begun = sorted(((state, when) for state, when in marks if when is not None), key=lambda mark: mark[1])
    if episode.state in STATES and episode.since is not None:  # how it stands now is known better than by its clocks
        begun = [(state, when) for state, when in begun if when < episode.since] + [(episode.state, episode.since)]
    for (state, begin), until in zip(begun, [*(when for _, when in begun[1:]), None], strict=True):
        if state != CLOSED and (until is None or begin < until):
            yield state, begin, until


def _end_of(day: date) -> int:
    return int(datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC).timestamp()) - 1
