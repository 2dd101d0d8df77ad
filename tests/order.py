"""The order in which workers are handed the tests: what takes long must not begin last and run alone."""

import json
import re
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs/reference/catalogue"
CONTRACT = re.compile(r"test_contract\.py::\w+\[(?P<remedy>.+)\]$")


def is_contract(nodeid: str) -> bool:
    return "test_contract.py::" in nodeid


def place(nodeid: str) -> tuple[bool, int]:
    """To sort by. Contracts come last, since each goes wherever a worker is free; of those the longest first.

    How long one takes is not on record; how many steps it ran is, and each is a play or two. One that is not on record
    yet is taken for the longest.
    """
    found = CONTRACT.search(nodeid)
    return is_contract(nodeid), -steps_run(found["remedy"]) if found else 0


def steps_run(remedy: str, results: Path = RESULTS) -> int:
    file = results / f"{remedy}.json"
    if not file.is_file():
        return 1000
    return sum(step["result"] != "not run" for step in json.loads(file.read_text(encoding="utf-8"))["steps"])
