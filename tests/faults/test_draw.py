"""From a seed to a schedule: always the same one, and only what can be played."""

from dataclasses import replace

import pytest

from tests.faults.draw import HOSTS, draw
from tests.faults.moments import MOMENTS, START
from tests.faults.play import Record, StepRecord
from tests.faults.report import BEGIN, END, write_report
from tests.faults.results import append, read
from tests.faults.table import FAULTS

MANY = [draw(seed) for seed in range(1, 401)]


def test_a_seed_is_a_schedule():
    assert [draw(seed) for seed in range(1, 401)] == MANY
    assert len({str(schedule.steps) for schedule in MANY}) > 390


def test_20_seeds_in_a_row_try_every_fault():
    for first in (1, 7, 300):
        assert set().union(*(draw(seed).faults for seed in range(first, first + 20))) == set(FAULTS)


@pytest.mark.parametrize("schedule", MANY[:40], ids=lambda schedule: schedule.seed)
def test_its_steps_can_be_played(schedule):
    for step in schedule.steps:
        if step.fault:
            assert step.moment in FAULTS[step.fault].moments
            assert step.moment in MOMENTS or step.moment == START
            assert step.lasts in FAULTS[step.fault].lasts
            assert step.host in HOSTS
        if step.verb == "ingest":
            assert step.moment not in ("task", "entry", "change", "spool")


def test_a_journal_that_a_power_cut_would_lose_never_meets_one():
    needs = [{FAULTS[name].needs for name in schedule.faults} for schedule in MANY]
    assert not any({"small journal", "kept journal"} <= one for one in needs)
    assert all(schedule.backend == "postgresql" for schedule in MANY if "server crashed" in schedule.faults)


def test_a_report_from_the_results_of_two_runs(tmp_path):
    page, results = tmp_path / "page.md", tmp_path / "results"
    page.write_text(f"before\n{BEGIN}\nreplaced\n{END}\nafter\n")
    for seed, lost in ((1, 0), (2, 3), (1, 0)):
        schedule = draw(seed)
        steps = [StepRecord(step, struck=True, held_then=2, unrecorded=1) for step in schedule.steps]
        append(results, Record(schedule, steps, held=4, lost=lost))
    append(results, Record(replace(draw(3), steps=()), lost=9))  # as drawn by an older table of faults
    write_report(page, read(results))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "replaced" not in text
    assert "seeds 1 to 2: 2 schedules" in text
    assert "| **3** |" in text
