"""What came of each schedule as JSON lines, so that a run of hours can be cut into several."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.faults.draw import draw
from tests.faults.play import Record, StepRecord


def append(path: Path, record: Record) -> None:
    plain = asdict(record)
    plain |= {"schedule": record.schedule.seed, "drawn": str(record.schedule)}
    for step in plain["steps"]:
        del step["step"]
    with open(path, "a") as file:
        file.write(json.dumps(plain) + "\n")


def read(path: Path) -> list[Record]:
    """The last record of each seed, by seed; none of schedules that are drawn otherwise by now."""
    found = {}
    for line in path.read_text().splitlines():
        plain = json.loads(line)
        schedule = draw(plain.pop("schedule"))
        if plain.pop("drawn", str(schedule)) != str(schedule):
            continue
        played = zip(schedule.steps, plain.pop("steps"), strict=False)  # fewer than drawn where it broke off
        steps = [StepRecord(step, **one) for step, one in played]
        found[schedule.seed] = Record(schedule, steps, **plain)
    return [found[seed] for seed in sorted(found)]
