"""`replace` for named tuples: what events are folded into is named tuples, which change five times as fast as frozen
dataclasses, and a million events are folded one by one.
"""

from typing import Any, NamedTuple, TypeVar

One = TypeVar("One", bound=NamedTuple)


def replace(one: One, /, **changes: Any) -> One:
    """The same with these fields changed; ValueError for a field it does not have."""
    return one._replace(**changes)
