"""From a seed to a schedule. Pure: the same seed is the same schedule, whatever happens while it is played."""

import random
from dataclasses import dataclass
from typing import Any

from tests.faults.moments import MOMENTS, START
from tests.faults.scene import Step
from tests.faults.table import FAULTS, Fault

LAPTOPS = ("ann", "bob")
HOSTS = ("web1", "db1")
REMEDIES = {"SITE-2026-7001": 1, "SITE-2026-7002": 2}  # and how many files each leaves on a host
EVENTS = 4  # of one mitigation that goes well, at least
PLAYS = {"mitigate": 5, "lift": 3, "recheck": 1, "sync": 2}
VERBS = PLAYS | {"ingest": 1}
STEPS = {1: 2, 2: 3, 3: 1}
BESIDE = {"": 9, "sync": 1, "mitigate": 1, "lift": 1, "ingest": 1}


@dataclass(frozen=True)
class Schedule:
    seed: int
    backend: str  # sqlite: a ledger for each laptop; postgresql: one for both
    steps: tuple[Step, ...]

    @property
    def faults(self) -> set[str]:
        return {step.fault for step in self.steps if step.fault}

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.backend}", *(f"  {n}. {step}" for n, step in enumerate(self.steps, 1))]
        return "\n".join(lines)


def draw(seed: int) -> Schedule:
    """Seeds in a row begin with one fault after the other, so that a few of them have tried each."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    first = list(FAULTS)[seed % len(FAULTS)]
    backend = "postgresql" if FAULTS[first].needs == "postgresql" else dice.choice(("sqlite", "postgresql"))
    steps = [_step(dice, first, "mitigate")]
    for _ in range(_weighted(dice, STEPS) - 1):
        fitting = [name for name in FAULTS if _fits(name, backend, {step.fault for step in steps})]
        steps.append(_step(dice, dice.choice([*fitting, ""]), ""))
    return Schedule(seed, backend, tuple(steps))


def _fits(name: str, backend: str, others: set[str]) -> bool:
    """A journal on a small file system of its own does not outlive a power cut."""
    needs = FAULTS[name].needs
    clash = {"small journal": "kept journal", "kept journal": "small journal"}.get(needs)
    return (needs != "postgresql" or backend == needs) and not any(
        clash == FAULTS[other].needs for other in others if clash and other
    )


def _step(dice: random.Random, name: str, verb: str) -> Step:
    fault = FAULTS.get(name)
    if not verb:
        table = PLAYS if fault and fault.needs == "play" else VERBS
        verb = _weighted(dice, table)
    by = "stopgap" if verb == "ingest" else dice.choice(("stopgap", "ansible-playbook", "ansible-playbook"))
    remedies = tuple(sorted(dice.sample(list(REMEDIES), dice.randint(1, len(REMEDIES)))))
    moment, count = _moment(dice, fault, verb, by, remedies) if fault else ("", 0)
    return Step(
        laptop=dice.choice(LAPTOPS),
        verb=verb,
        by=by,
        remedies=remedies,
        beside=_weighted(dice, BESIDE),
        fault=name,
        moment=moment,
        count=count,
        lasts=dice.choice(fault.lasts) if fault else "",
        host=dice.choice(HOSTS),
        pick=dice.randrange(1000),
    )


def _weighted(dice: random.Random, table: dict[Any, int]) -> Any:
    return dice.choices(list(table), list(table.values()))[0]


def _moment(dice: random.Random, fault: Fault, verb: str, by: str, remedies: tuple[str, ...]) -> tuple[str, int]:
    """Only moments that the verb has: an ingest plays no tasks, and `stopgap` prints none. Only counts it may reach."""
    seen = {"delivery", "transaction", "clock", START}
    if verb != "ingest":
        seen |= {"spool"} | ({"task"} if by == "ansible-playbook" else set())
    if verb in ("mitigate", "lift"):
        seen |= {"change"} | ({"entry"} if verb == "mitigate" else set())
    name = dice.choice([one for one in fault.moments if one in seen])
    if name == START:
        return name, 0
    most = {
        "entry": len(HOSTS) * len(remedies),
        "change": len(HOSTS) * sum(REMEDIES[one] for one in remedies),
        "spool": len(HOSTS) * len(remedies) * EVENTS if verb == "mitigate" else 1,
    }
    return name, dice.randint(MOMENTS[name][1], most.get(name, MOMENTS[name][2]))
