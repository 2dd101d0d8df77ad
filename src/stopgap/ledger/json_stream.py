"""JSON of any length, written as it is read."""

import json
from collections.abc import Callable, Iterable, Mapping
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


def print_lists(lists: Mapping[str, Iterable[dict[str, Any]]], rest: Mapping[str, Any]) -> None:
    """What `json.dumps({**lists, **rest}, indent=2)` gives, a row at a time."""
    before = "{"
    for name, rows in lists.items():
        print(f"{before}\n  {json.dumps(name)}: [", end="")
        between = "\n    "
        for row in rows:
            print(between + _indented(row, 4), end="")
            between = ",\n    "
        print("\n  ]" if between.startswith(",") else "]", end="")
        before = ","
    for name, value in rest.items():
        print(f"{before}\n  {json.dumps(name)}: {_indented(value, 2)}", end="")
        before = ","
    print("\n}")


def _indented(value: Any, columns: int) -> str:
    return json.dumps(value, indent=2).replace("\n", "\n" + " " * columns)
