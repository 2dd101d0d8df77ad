"""`make faults [SEED=n] [FIRST=1] [SCHEDULES=200]`: play schedules on real lab hosts and write what came of them."""

import argparse
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

from tests.faults.draw import draw
from tests.faults.play import open_world, play
from tests.faults.report import write_report
from tests.faults.results import append, read


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one, print all that was said")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--results", type=Path, help="keep what came of each here, and report on all that are in it")
    parser.add_argument("--report", type=Path, help="the page whose table is replaced")
    chosen = parser.parse_args()
    seeds = [chosen.seed] if chosen.seed is not None else range(chosen.first, chosen.first + chosen.schedules)
    records = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the hosts are taken down on the way out
    with open_world(f"faults-{os.getpid()}") if seeds else nullcontext() as world:
        for seed in seeds:
            record = play(world, draw(seed))
            records.append(record)
            if chosen.results:
                append(chosen.results, record)
            print(record.line(), flush=True)
            if record.findings or chosen.seed is not None:
                print(f"{record}\nreplay it: make faults SEED={seed}", flush=True)
    if chosen.report and chosen.seed is None:
        write_report(chosen.report, read(chosen.results) if chosen.results else records)
    failed = [record.schedule.seed for record in records if record.findings]
    print(f"{len(records)} schedules, {len(failed)} with findings{': ' if failed else ''}{failed or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
