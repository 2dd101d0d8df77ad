"""On what a remedy is tried: which lab host, and where its vulnerable and its fixed package come from. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from stopgap.contract.archive import Archive
from stopgap.contract.errors import GroundError
from stopgap.contract.versions import at_least, highest, just_below, lowest
from stopgap.remedy.values import RPM_DISTROS

SUITES = {"debian-12": "bookworm", "debian-13": "trixie", "debian-11": "bullseye"}
KERNELS = re.compile(r"linux\b|kernel\b")  # tiny stand-ins: no host could run a real one
Kind = Literal["real", "repacked", "synthetic"]


@dataclass(frozen=True)
class Packaged:
    """One package of the remedy. `archived`: the archive itself has the fix, so none has to be built."""

    name: str
    kind: Kind
    vulnerable: str
    fixed: str
    archived: bool = False


@dataclass(frozen=True)
class Ground:
    """`distro` is what the host says it is: another than the suite's where it only poses as one."""

    suite: str
    distro: str
    packages: tuple[Packaged, ...] = ()

    @property
    def poses(self) -> bool:
        return SUITES.get(self.distro) != self.suite

    @property
    def is_rpm(self) -> bool:
        return _is_rpm(self.distro)

    @property
    def kind(self) -> str:
        kinds = {package.kind for package in self.packages}
        return next((kind for kind in ("real", "repacked", "synthetic") if kind in kinds), "no packages")

    def __str__(self) -> str:
        words = {
            "real": f"real packages of {self.suite}",
            "repacked": f"stand-ins made from {self.suite}'s own packages",
            "synthetic": f"small stand-in {'rpms' if self.is_rpm else 'packages'} on {self.suite}",
        }
        posing = f", posing as {self.distro}" if self.poses else ""
        return words.get(self.kind, f"{self.suite}, no package involved") + posing


def choose(
    remedy: dict[str, Any],
    archive_of: Callable[[str], Archive],
    suites: Sequence[str] = tuple(SUITES.values()),
    standin: bool = False,
    distro: str = "",
) -> Ground:
    """Real packages before repacked ones before synthetic ones. `standin` leaves the real ones out, `distro` names one.

    Raises GroundError where no lab host can be vulnerable.
    """
    affected = remedy["affected"]["packages"]
    if not affected:
        return Ground(suites[0], next(key for key, suite in SUITES.items() if suite == suites[0]))
    own = [(key, suite) for key, suite in SUITES.items() if suite in suites and distro in ("", key)]
    for real in (True, False) if not standin else (False,):
        for key, suite in own:
            found = tuple(_packages(affected, key, archive_of(suite), real))
            if found:
                return Ground(suite, key, found)
    return _posing(affected, archive_of, suites, distro)


def _packages(affected: list[dict[str, Any]], distro: str, archive: Archive, real: bool) -> Iterable[Packaged]:
    named = [package for package in affected if isinstance(package["fixed_in"].get(distro), list)]
    if real:
        pairs = [_real(package, package["fixed_in"][distro], archive) for package in named]
        return [pair for pair in pairs if pair]
    built = [_built(package, package["fixed_in"][distro], archive) for package in named]
    repacked = [package for package in built if package.kind == "repacked"]
    return repacked or built  # a name the release does not have belongs to another one, unless none has it


def _real(package: dict[str, Any], fixed: list[str], archive: Archive) -> Packaged | None:
    name, introduced = package["name"], package["introduced"]
    old, new = archive.main.get(name), archive.security.get(name)
    if not old or not new or at_least(old[1], lowest(fixed)) or not at_least(new[1], highest(fixed)):
        return None
    if introduced and not at_least(old[1], introduced):
        return None
    return Packaged(name, "real", old[1], new[1], archived=True)


def _built(package: dict[str, Any], fixed: list[str], archive: Archive, posing: bool = False) -> Packaged:
    name, vulnerable, wanted = package["name"], just_below(fixed, package["introduced"]), highest(fixed)
    if KERNELS.match(name) or name not in archive.main:
        return Packaged(name, "synthetic", vulnerable, wanted)
    newest = highest([archive.main[name][1], archive.security.get(name, archive.main[name])[1]])
    if not posing and at_least(newest, wanted):
        return Packaged(name, "repacked", vulnerable, newest, archived=True)
    return Packaged(name, "repacked", vulnerable, wanted)


def _posing(
    affected: list[dict[str, Any]], archive_of: Callable[[str], Archive], suites: Sequence[str], distro: str
) -> Ground:
    """A release that the lab does not have: its versions, on a host that says it is that release."""
    distros = dict.fromkeys(key for package in affected for key, fixed in package["fixed_in"].items() if fixed)
    candidates = [key for key in distros if distro in ("", key) and key not in SUITES and _can_pose(key)]
    for key in sorted(candidates, key=_is_rpm):  # Debian's own packages can be repacked, so those first
        named = [package for package in affected if isinstance(package["fixed_in"].get(key), list)]
        built = [_built(package, package["fixed_in"][key], archive_of(suites[0]), posing=True) for package in named]
        if _is_rpm(key):
            built = [replace(package, kind="synthetic") for package in built]
        if built:
            return Ground(suites[0], key, tuple(one for one in built if one.kind == "repacked") or tuple(built))
    known = ", ".join(distros) or "none"
    raise GroundError(
        f"the lab has no host that this remedy fixes (releases in fixed_in: {known}; "
        f"the lab has {', '.join(SUITES)}, and hosts that pose as another release of dpkg or rpm)"
    )


def _can_pose(distro: str) -> bool:
    return distro.startswith(("debian-", "ubuntu-")) or _is_rpm(distro)


def _is_rpm(distro: str) -> bool:
    return distro.rpartition("-")[0] in RPM_DISTROS
