"""The four times of docs/reference/measures.md: when each starts, when it ends, and what is known of one that has not.

Pure: an episode and the present moment in, a duration and its outcome out. A new figure is one function and one line.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from stopgap.measures.episodes import Episode
from stopgap.measures.survival import Curve, Durations, estimate


class Outcome(StrEnum):
    happened = "happened"
    open = "open"  # still waiting: counted with the time it has waited so far
    left = "left"  # over without it: counted up to there, and then nobody waits any more


@dataclass(frozen=True, slots=True)
class Figure:
    seconds: int
    outcome: Outcome


def time_to_mitigate(episode: Episode, now: int) -> Figure | None:
    """From exposed to the first mitigation proven in force. A fix in effect without one ends the wait for it."""
    return _wait(episode.exposed, episode.mitigated, _earliest(episode.effective, episode.ended), now)


def time_to_install(episode: Episode, now: int) -> Figure | None:
    """From exposed to the fix on disk."""
    return _wait(episode.exposed, episode.installed, episode.ended, now)


def time_to_effect(episode: Episode, now: int) -> Figure | None:
    """From exposed to the fix proven in effect."""
    return _wait(episode.exposed, episode.effective, episode.ended, now)


def time_to_lift(episode: Episode, now: int) -> Figure | None:
    """From the fix in effect to the last mitigation lifted; only where one was there to be lifted."""
    if episode.effective is None or not _had_mitigation(episode):
        return None
    if episode.lifted is None and episode.over is None and not episode.held:
        return None  # gone, and nobody knows when
    return _wait(episode.effective, episode.lifted, episode.over, now)


def _had_mitigation(episode: Episode) -> bool:
    return episode.held or episode.mitigated is not None or episode.lifted is not None


def _wait(start: int, end: int | None, left: int | None, now: int) -> Figure:
    if end is not None and (left is None or end <= left):
        return Figure(max(end - start, 0), Outcome.happened)
    if left is not None:
        return Figure(max(left - start, 0), Outcome.left)
    return Figure(max(now - start, 0), Outcome.open)


def _earliest(*moments: int | None) -> int | None:
    return min((moment for moment in moments if moment is not None), default=None)


FIGURES: dict[str, Callable[[Episode, int], Figure | None]] = {
    "mitigate": time_to_mitigate,
    "install": time_to_install,
    "effect": time_to_effect,
    "lift": time_to_lift,
}


def figures_of(episode: Episode, now: int) -> list[tuple[str, Figure]]:
    """By name, those that the episode has."""
    told = [(name, measure(episode, now)) for name, measure in FIGURES.items()]
    return [(name, figure) for name, figure in told if figure is not None]


class Tally:
    """All durations of one figure, and how many of those that did not happen are not waiting any more."""

    def __init__(self) -> None:
        self.durations = Durations()
        self.left = 0

    def add(self, figure: Figure) -> None:
        self.durations.add(figure.seconds, figure.outcome is Outcome.happened)
        self.left += figure.outcome is Outcome.left


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the table. `open` are still waiting; `left` are over without it."""

    curve: Curve
    left: int

    @property
    def open(self) -> int:
        return self.curve.censored - self.left


class Measures:
    """The figures of one group of episodes, added one by one: only numbers are kept."""

    def __init__(self) -> None:
        self.tallies = {name: Tally() for name in FIGURES}

    def add(self, figures: Iterable[tuple[str, Figure]]) -> None:
        for name, figure in figures:
            self.tallies[name].add(figure)

    def summaries(self) -> dict[str, Summary]:
        return {name: Summary(estimate(tally.durations), tally.left) for name, tally in self.tallies.items()}
