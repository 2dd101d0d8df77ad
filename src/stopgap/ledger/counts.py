"""How many cases there are and how much is owed, wherever it was counted: in the database or one by one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stopgap.ledger.case import CLOSED, STATES


@dataclass(slots=True)
class Tally:
    """How many cases there are, by state (in the order of STATES) and by flag."""

    cases: int = 0
    states: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)

    def add(self, state: str, flags: Iterable[str], count: int = 1) -> None:
        self.cases += count
        self.states[state] = self.states.get(state, 0) + count
        for flag in flags:
            self.flags[flag] = self.flags.get(flag, 0) + count

    def in_order(self) -> dict[str, int]:
        return {state: self.states[state] for state in STATES if state in self.states}


@dataclass(slots=True)
class OwedCounts:
    """Mitigations in force without a fix in effect, how many of them past their expiry, and those left after it."""

    debt: int = 0
    overdue: int = 0
    orphans: int = 0

    def add(self, state: str, expiries: Sequence[str | None], moment: str) -> None:
        """Of one case; `moment` is now, spelled as times are."""
        if state in CLOSED:
            self.orphans += len(expiries)
        else:
            self.debt += len(expiries)
            self.overdue += sum(end is not None and end <= moment for end in expiries)
