"""Versions as dpkg orders them, and the one just below a fix."""

from collections.abc import Sequence

from stopgap.versions import DEBIAN, is_below

MARK = "~stopgap0"


def at_least(version: str, other: str) -> bool:
    return is_below(DEBIAN, version, other) is False


def lowest(versions: Sequence[str]) -> str:
    return next(one for one in versions if all(at_least(other, one) for other in versions))


def highest(versions: Sequence[str]) -> str:
    return next(one for one in versions if all(at_least(one, other) for other in versions))


def just_below(fixed: Sequence[str], introduced: str | None) -> str:
    """A vulnerable version: below every fix, not below the bug.

    `5.6.1+really5.4.5-1` is older code under a newer number: its vulnerable one is 5.6.1, not a little less than it.
    """
    fix = lowest(fixed)
    bad, really, _ = fix.partition("+really")
    version = f"{bad}-0stopgap1" if really else f"{fix}{MARK}"
    return introduced if introduced and not at_least(version, introduced) else version
