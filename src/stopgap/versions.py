"""Versions as dpkg and rpm compare them, never as strings. Which order counts is a question of the distribution.

The order and what several fixed versions mean are the collection's own code, so that what is judged here, offline, is
what the host's own assessment would say.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from stopgap.collection import shared_code

# distribution (`debian` of `debian-12`) -> the file with its order
ORDERS = {
    **dict.fromkeys(("debian", "ubuntu"), "packages/debver"),
    **dict.fromkeys(("el", "fedora", "amzn", "sles", "opensuse-leap"), "packages/nevra"),
}
DEBIAN = "debian"

Compare = Callable[[str, str], int]


def order_of(distro: str) -> Compare | None:
    """-1, 0 or 1 for two versions of this distribution (`debian-12`, `el-9`); None where nobody knows its order."""
    name = distro.rpartition("-")[0] or distro
    if name not in ORDERS:
        return None
    compare: Compare = shared_code(ORDERS[name]).compare
    return compare


@lru_cache(maxsize=4096)
def meets(distro: str, version: str, fixes: tuple[str, ...]) -> tuple[bool, str] | None:
    """(is it fixed, the fixed version that applies); None where it cannot be told. A fleet asks the same often."""
    compare = order_of(distro)
    if compare is None or not fixes:
        return None
    try:
        fixed, required = shared_code("streams").meets(version, fixes, compare)
    except ValueError:  # no version at all: a host may say anything
        return None
    return bool(fixed), str(required)


def is_below(distro: str, version: str, other: str) -> bool | None:
    compare = order_of(distro)
    try:
        return compare(version, other) < 0 if compare else None
    except ValueError:
        return None


def newest(distro: str, versions: Sequence[str]) -> str | None:
    """Of what lies side by side, as kernels do; None where it cannot be told."""
    found = versions[0]
    for one in versions[1:]:
        older = is_below(distro, found, one)
        if older is None:
            return None
        found = one if older else found
    return found
