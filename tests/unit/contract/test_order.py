"""Workers are handed files first, then contracts, the longest of them first."""

import json
import random

from tests.order import RESULTS, place, steps_run

FILE = "tests/e2e/test_lab.py::test_a_host"
NEW = "CVE-2099-1"  # on no record
PREFIX = "tests/e2e/test_contract.py::test_a_remedy_keeps_its_contract"


def contract(remedy):
    return f"{PREFIX}[{remedy}]"


def test_contracts_come_last_the_longest_first():
    known = [file.stem for file in RESULTS.glob("*.json")]
    told = [FILE, *map(contract, [NEW, *known])]
    random.Random(3).shuffle(told)  # noqa: S311 - any order
    file, new, *others = sorted(told, key=place)
    assert (file, new) == (FILE, contract(NEW))
    steps = [steps_run(other.removeprefix(f"{PREFIX}[").removesuffix("]")) for other in others]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > steps[-1] == 0  # what cannot run here at all takes no time


def test_only_steps_that_ran_count(tmp_path):
    steps = [{"result": result} for result in ("passed", "failed", "not run", "passed")]
    (tmp_path / "CVE-1.json").write_text(json.dumps({"steps": steps}))
    assert steps_run("CVE-1", tmp_path) == 3
