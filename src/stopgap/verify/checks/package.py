"""`package {name, at_least: fixed|VERSION}`: the installed source version, compared by the host's own dpkg."""

from typing import Any, NamedTuple

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.verdict import Verdict, failed, passed, unknown

QUERY = r"dpkg-query -W -f '${db:Status-Status}\t${source:Version}\t${Package}:${Architecture}\n' -- %s"
ABSENT = ("not-installed", "config-files")
# Triggers run after a package's own files are in place and configured.
INSTALLED = ("installed", "triggers-awaited", "triggers-pending")
REBUILDS = ("rhel", "centos", "rocky", "almalinux", "ol")


class Installed(NamedTuple):
    name: str
    version: str


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    if params["at_least"] == "fixed":
        return _check_fixed(host, params["name"], context.remedy["affected"]["packages"])
    found = installed(host, params["name"])
    if not found:
        return failed(f"{params['name']} is not installed")
    return _compare(host, found, [params["at_least"]])


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
    return _compare(host, found, fixed)


def fixed_in(host: AgentHost, wanted: str, affected: list[dict[str, Any]]) -> Any:
    """A list of versions, "not_affected", or None where the remedy does not name this host's distribution."""
    by_distro: dict[str, Any] = next((package["fixed_in"] for package in affected if package["name"] == wanted), {})
    return by_distro.get(distro(host))


def distro(host: AgentHost) -> str:
    system, release = host.system_info.distribution, host.system_info.release
    if not system or not release:
        raise Surprise("os-release names no distribution and version")
    if system in REBUILDS:
        return f"el-{release.split('.')[0]}"
    return f"{system}-{release}" if system == "ubuntu" else f"{system}-{release.split('.')[0]}"


def installed(host: AgentHost, package: str) -> list[Installed]:
    """All architectures. testinfra's `is_installed` is wrong where two of them are installed."""
    if not host.exists("dpkg-query"):
        raise Surprise("this host has no dpkg-query: only Debian's packages can be compared yet")
    out = host.run_expect([0, 1], QUERY, package)
    found = []
    for line in out.stdout.splitlines():
        status, version, full_name = line.split("\t")
        if status in INSTALLED:
            found.append(Installed(full_name, version))
        elif status not in ABSENT:
            raise Surprise(f"{full_name} is {status}: repair it first")
    return found


def _compare(host: AgentHost, found: list[Installed], required: list[str]) -> Verdict:
    """Several versions are the fixes of several streams: between the lowest and the highest one there is no telling."""
    for package in found:
        if package.version in required:
            continue
        reached = [version for version in required if _is_at_least(host, package.version, version)]
        said = f"{package.name} {package.version}"
        if not reached:
            return failed(f"{said} is older than {' and '.join(required)}")
        if len(reached) < len(required):
            return unknown(f"{said} is newer than {', '.join(reached)} only: which stream is it?")
    first = found[0]
    return passed(f"{first.name} {first.version} is at least {' and '.join(required)}")


def _is_at_least(host: AgentHost, version: str, required: str) -> bool:
    out = host.run_expect([0, 1], "dpkg --compare-versions %s ge %s", version, required)
    if out.stderr.strip():  # dpkg compares what is no version too, and only warns
        raise Surprise(out.stderr.strip())
    return bool(out.rc == 0)
