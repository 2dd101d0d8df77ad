"""`kernel {at_least: fixed|VERSION}`: the package version of the kernel that runs, not of one that is installed."""

import re
from typing import Any

from stopgap.collection import shared_code
from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.checks.package import Installed, compare, distro, fixed_in, installed
from stopgap.verify.context import Context
from stopgap.verify.packages import RPM, family
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, passed, unknown

ROWS = (
    Row(
        "kernel: {at_least: fixed|VERSION}",
        "the package version of the kernel that runs has reached it",
        "it is older",
        "the kernel does not tell its package's version; the remedy names none for this release",
    ),
)

KERNELS = re.compile(r"(?:linux-image|kernel)(?:-|$)")
FILES = ("/lib/modules/{}/vmlinuz", "/boot/vmlinuz-{}", "/lib/modules/{}")  # as the collection's rpm.py has them
TELL = "\nprint(running_kernel_version() or '')\n"


def name(params: dict[str, Any]) -> str:
    return str(params["at_least"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    affected = context.remedy["affected"]["packages"]
    required = _fixed(host, affected) if params["at_least"] == "fixed" else [params["at_least"]]
    if isinstance(required, Verdict):
        return required
    version = on_host.run(host, on_host.source("system") + TELL).strip() or _rpm_version(host)
    if not version:
        return unknown("the kernel that runs does not tell the version of its package")
    return compare(host, [Installed("the running kernel", version)], required)


def _rpm_version(host: AgentHost) -> str:
    """Where the kernel does not say it: the version of the package that its own file belongs to."""
    if family(host) is not RPM:
        return ""
    nevra, release = shared_code("packages/nevra"), host.check_output("uname -r")
    for path in FILES:
        out = host.run("rpm -qf --qf %s -- %s", nevra.FORMAT, path.format(release))
        if out.rc == 0 and "\t" in out.stdout:
            return str(nevra.read_fact(out.stdout.splitlines()[0])[0]["version"])
    return ""


def _fixed(host: AgentHost, affected: list[dict[str, Any]]) -> list[str] | Verdict:
    """The versions that are fixed here. Where kernels differ in them, those of the installed ones count."""
    names = [package["name"] for package in affected if KERNELS.match(package["name"])]
    fixed = {name: fixed_in(host, name, affected) for name in names}
    if len({str(versions) for versions in fixed.values()}) > 1:
        fixed = {name: versions for name, versions in fixed.items() if installed(host, name)}
    if len({str(versions) for versions in fixed.values()}) != 1:
        return unknown("the remedy does not say which version of the kernel that runs is fixed")
    versions = next(iter(fixed.values()))
    if versions is None:
        return unknown(f"the remedy does not say which version of the kernel is fixed in {distro(host)}")
    if versions == "not_affected":
        return passed(f"the kernel of {distro(host)} is not affected")
    return list(versions)
