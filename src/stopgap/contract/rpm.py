"""The rpm side of a stand-in: a lab host that says it is el-9, with real rpm and dnf (or zypper) on it."""

import platform
from collections.abc import Iterable

from stopgap.contract.errors import GroundError
from stopgap.contract.ground import Ground
from stopgap.contract.needs import Needs
from stopgap.lab import Lab, LabError
from stopgap.lab.rpm_host import DNF_PACKAGES, ZYPPER_DISTROS, ZYPPER_PACKAGES, Rpm, RpmHost

OTHERS = "others"


def tools(distro: str) -> tuple[str, ...]:
    """What a lab host needs to pose as this distribution."""
    return ZYPPER_PACKAGES if distro.rpartition("-")[0] in ZYPPER_DISTROS else DNF_PACKAGES


def make_vulnerable(lab: Lab, host: str, ground: Ground, needs: Needs) -> dict[str, str]:
    """Versions now installed. Raises GroundError with what rpmbuild said."""
    names = {package.name for package in ground.packages}
    present = [_rpm(package.name, package.vulnerable) for package in ground.packages]
    present += [_rpm(name, "1.0-1") for name in needs.packages if name not in names]
    wanted = [_rpm(name, version) for name, version in needs.packages.items() if version]
    try:
        rpms = RpmHost(lab, host, ground.distro)
        rpms.build(*present)
        rpms.install(*present)
        if wanted:
            rpms.offer(*wanted, repository=OTHERS)
    except LabError as error:
        raise GroundError(f"the stand-in rpms could not be made: {error}") from None
    return {package.name: package.vulnerable for package in ground.packages}


def publish_fix(lab: Lab, host: str, ground: Ground) -> None:
    RpmHost(lab, host, ground.distro).offer(*_fixed(ground))


def _fixed(ground: Ground) -> Iterable[Rpm]:
    return [_rpm(package.name, package.fixed, "fixed") for package in ground.packages]


def _rpm(name: str, version: str, mark: str = "vulnerable") -> Rpm:
    files = {f"/usr/share/stopgap-standin/{name}/{mark}": f"{version}\n"}
    return Rpm(name, version, arch=platform.machine(), files=files)
