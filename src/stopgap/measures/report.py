"""The figures of many cases, by group, with how exposure went and what is past due. Only numbers are kept of a case."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stopgap.ledger.case import AFFECTED
from stopgap.measures.episodes import Episode, episodes_of, seconds
from stopgap.measures.exposure import Exposure
from stopgap.measures.figures import Measures, figures_of

Row = Mapping[str, Any]
ALL = ""  # the name of the group that holds every case

# Of an open case: is it past due (None: it has no due date), at this moment?
Overdue = Callable[[Row], bool | None]


@dataclass(slots=True)
class Due:
    """Cases open now. `accepted` are those past due whose risk somebody has accepted until later than now."""

    open: int = 0
    past_due: int = 0
    accepted: int = 0
    undated: int = 0

    @property
    def share(self) -> float | None:
        """Of the open cases, those past due that nobody has accepted."""
        return (self.past_due - self.accepted) / self.open if self.open else None


class Group:
    def __init__(self) -> None:
        self.cases = 0
        self.measures = Measures()
        self.due = Due()


@dataclass(frozen=True, slots=True)
class Span:
    """Episodes that began in here count: seconds since 1970, the end not included."""

    begin: int
    end: int

    def __contains__(self, moment: int) -> bool:
        return self.begin <= moment < self.end


class Report:
    """`group_of` names the group of a case; every case is in the group ALL as well."""

    def __init__(
        self, span: Span, exposure: Exposure, now: int, overdue: Overdue, group_of: Callable[[Row], str] | None = None
    ) -> None:
        self.span, self.exposure, self.now = span, exposure, now
        self.overdue, self.group_of = overdue, group_of
        self.groups: dict[str, Group] = {ALL: Group()}
        self.doubts: tuple[str, ...] = ()  # about the feeds that due dates rest on

    def add(self, row: Row) -> None:
        episodes = list(episodes_of(row, self.now))
        groups = list(self._groups(row))
        for group in groups:
            group.cases += 1
        for episode in episodes:
            self.exposure.add(episode)
            if episode.exposed in self.span:
                told = figures_of(episode, self.now)
                for group in groups:
                    group.measures.add(told)
        if episodes and is_open(episodes[-1]):
            self._count_due(row, groups)

    @property
    def whole(self) -> Group:
        return self.groups[ALL]

    def _groups(self, row: Row) -> Iterator[Group]:
        yield self.whole
        if self.group_of:
            name = self.group_of(row)
            if name not in self.groups:
                self.groups[name] = Group()
            yield self.groups[name]

    def _count_due(self, row: Row, groups: list[Group]) -> None:
        overdue = self.overdue(row)
        for group in groups:
            group.due.open += 1
            group.due.undated += overdue is None
            group.due.past_due += bool(overdue)
            group.due.accepted += bool(overdue) and self._is_accepted(row)

    def _is_accepted(self, row: Row) -> bool:
        until = seconds(row["accepted_until"])
        return until is not None and until > self.now


def is_open(present: Episode) -> bool:
    """A silent host's case is open until it is known to be closed."""
    return present.state in AFFECTED or (present.state == "unknown" and present.ended is None)
