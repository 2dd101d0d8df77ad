from typing import Any, NamedTuple


class Context(NamedTuple):
    """What a check may want to know besides its parameters and the host."""

    remedy: dict[str, Any]
    phase: str
