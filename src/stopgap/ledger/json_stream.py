"""JSON of any length, written as it is read."""

import json
from collections.abc import Callable, Iterable
from typing import Any


def print_stream(name: str, rows: Iterable[dict[str, Any]], rest: Callable[[], dict[str, Any]]) -> None:
    """`{name: [a row a line], …rest}`; `rest` is asked when the last row has been written."""
    rows = iter(rows)
    row = next(rows, None)  # an error at the first one leaves nothing half written
    print("{" + json.dumps(name) + ": [", end="")
    between = "\n"
    while row is not None:
        print(between + json.dumps(row), end="")
        between, row = ",\n", next(rows, None)
    more = rest()
    print("\n]" + (", " + json.dumps(more)[1:] if more else "}"))
