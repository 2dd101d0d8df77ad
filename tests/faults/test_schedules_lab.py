"""P3 under faults: 20 schedules of `make faults`, on real hosts. One that fails prints its seed and its steps."""

import os

import pytest

from tests.faults.draw import draw
from tests.faults.play import open_world, play
from tests.faults.table import FAULTS

pytestmark = pytest.mark.lab


def length(seed):
    """Commands that are run, which is what takes time."""
    return sum(1 + bool(step.beside) for step in draw(seed).steps)


# Of each fault the shortest schedule that begins with it, and the first ones whatever they are.
SHORT = [min(range(first, 201, len(FAULTS)), key=length) for first in range(1, len(FAULTS) + 1)]
SEEDS = list(dict.fromkeys([*SHORT, *range(1, 201)]))[:20]


@pytest.fixture(scope="module")
def world():
    with open_world(f"faults-{os.getpid()}") as opened:
        yield opened


@pytest.fixture(scope="module")
def played():
    """What came of each seed, for the last test to judge them together."""
    return []


@pytest.mark.parametrize("seed", SEEDS)
def test_p03_hosts_and_ledger_agree_after(world, played, seed):
    record = play(world, draw(seed))
    played.append(record)
    assert record.findings == [], f"{record}\nreplay it: make faults SEED={seed}"


def test_p03_the_faults_struck(played):
    """Otherwise the tests above prove nothing."""
    steps = [step for record in played for step in record.steps if step.step.fault]
    assert len(played) == len(SEEDS)
    assert {step.step.fault for step in steps} == set(FAULTS)
    assert sum(step.struck for step in steps) >= 0.7 * len(steps)
    assert sum(step.unrecorded for step in steps) > 0, "no fault came between applied and recorded"
    assert sum(record.held for record in played) >= len(SEEDS)
