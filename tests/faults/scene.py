"""What a fault and a moment get to see: one step of a schedule while it is played."""

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.fleet import Fleet
from tests.faults.laptop import Laptop
from tests.postgres import Server


@dataclass(frozen=True)
class Step:
    """`host` is whom a fault of hosts strikes, `pick` any number a fault needs to choose with."""

    laptop: str
    verb: str
    by: str  # the program: stopgap | ansible-playbook
    remedies: tuple[str, ...]
    beside: str = ""  # what the other laptop does at the same time
    fault: str = ""
    moment: str = ""
    count: int = 0  # of the moment: the n-th line, task, entry, n milliseconds, or tenths of them
    lasts: str = ""  # healed "soon", while the command may still run, or after the "step"
    host: str = ""
    pick: int = 0

    def __str__(self) -> str:
        beside = f", beside it {self.beside}" if self.beside else ""
        done = f"{self.laptop}: {self.verb} {','.join(self.remedies)} by {self.by}{beside}"
        if not self.fault:
            return done
        when = f"{self.fault} at {self.moment} {self.count}, healed: {self.lasts}"
        return f"{done}; {when} (host {self.host}, pick {self.pick})"


@dataclass
class Scene:
    step: Step
    fleet: Fleet
    laptop: Laptop
    server: Server | None
    process: subprocess.Popen[bytes] | None = None
    printed: Path | None = None
    before: list[str] = field(default_factory=list)  # words before the command
    more: dict[str, str] = field(default_factory=dict)  # more of its environment
    variables: list[str] = field(default_factory=list)  # more play variables
    began: float = 0.0
    entries_before: int = 0
    files_before: frozenset[str] = frozenset()
    spooled_before: int = 0
    delivery_seen: float = 0.0

    def look_around(self) -> None:
        """Right before the command starts: moments are changes since then."""
        self.began = time.monotonic()
        self.entries_before = self.count_entries()
        self.files_before = self.files_of_ours()
        self.spooled_before = self.laptop.spooled_lines()

    def count_entries(self) -> int:
        return sum(len(list(self.fleet.journal(name).glob("journal/*/entry.json"))) for name in self.fleet.names)

    def files_of_ours(self) -> frozenset[str]:
        """What the mitigations leave on hosts."""
        return frozenset(str(path) for name in self.fleet.names for path in self.fleet.root(name).glob("srv/stopgap-*"))

    @property
    def pid(self) -> int:
        assert self.process is not None, "this fault strikes a running command"
        return self.process.pid
