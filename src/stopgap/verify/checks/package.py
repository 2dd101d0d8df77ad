"""`package {name, at_least: fixed|VERSION}`: the installed version, in the package manager's own order.

The source package's version where dpkg is, the binary's where rpm is: that is what advisories name.
"""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.packages import Installed, distro, family, meets
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed, unknown

ROWS = (
    Row(
        "package: {name, at_least: fixed}",
        "the installed source version has reached the remedy's `fixed_in` for this release, or the release is "
        "`not_affected`",
        "it is older, in any architecture",
        "the remedy names no version for this release; the package is half installed; the host has neither dpkg "
        "nor rpm",
    ),
    Row(
        "package: {name, at_least: VERSION}",
        "the installed source version is at least that",
        "it is older, or the package is not installed",
        "as above",
    ),
)

__all__ = ["Installed", "check", "compare", "distro", "fixed_in", "installed", "name"]


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if params["at_least"] == "fixed":
        return _check_fixed(host, params["name"], context.remedy["affected"]["packages"])
    found = installed(host, params["name"])
    if not found:
        return failed(f"{params['name']} is not installed")
    return compare(host, found, [params["at_least"]])


def _check_fixed(host: AgentHost, wanted: str, affected: list[dict[str, Any]]) -> Verdict:
    """An absent package cannot be vulnerable, but says nothing of the others: then all of them are looked at."""
    if wanted not in [package["name"] for package in affected]:
        return unknown(f"the remedy names no fixed version of {wanted}")
    if found := installed(host, wanted):
        return _compare_fixed(host, found, wanted, affected)
    for other in {package["name"] for package in affected} - {wanted}:
        if found := installed(host, other):
            verdict = _compare_fixed(host, found, other, affected)
            if verdict.word != "pass":
                return Verdict(verdict.word, f"{wanted} is not installed, but {verdict.reason}")
    return passed(f"{wanted} is not installed")


def _compare_fixed(host: AgentHost, found: list[Installed], wanted: str, affected: list[dict[str, Any]]) -> Verdict:
    fixed = fixed_in(host, wanted, affected)
    if fixed is None:
        return unknown(f"the remedy does not say which version of {wanted} is fixed in {distro(host)}")
    if fixed == "not_affected":
        return passed(f"{wanted} in {distro(host)} is not affected")
    return compare(host, found, fixed)


def fixed_in(host: AgentHost, wanted: str, affected: list[dict[str, Any]]) -> Any:
    """A list of versions, "not_affected", or None where the remedy does not name this host's distribution."""
    by_distro: dict[str, Any] = next((package["fixed_in"] for package in affected if package["name"] == wanted), {})
    return by_distro.get(distro(host))


def installed(host: AgentHost, package: str) -> list[Installed]:
    return family(host).installed(host, package)


def compare(host: AgentHost, found: list[Installed], required: list[str]) -> Verdict:
    """Several versions are the fixes of several streams: each package needs its own stream's."""
    told = []
    for package in found:
        fixed, needed = meets(host, package.version, required)
        if not fixed:
            return failed(f"{package.name} {package.version} is older than {needed}")
        told.append(f"{package.name} {package.version} is at least {needed}")
    return passed(told[0])
