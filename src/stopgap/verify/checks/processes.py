"""`processes {not_on_old_code: PACKAGE}`: no process runs code that the package has replaced.

The collection's own processes.py does the looking, so that assess, patch and verify cannot disagree.
"""

from typing import Any

from stopgap.verify import on_host
from stopgap.verify.backend import AgentHost
from stopgap.verify.checks.package import distro, fixed_in, installed
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed, unknown

ROWS = (
    Row(
        "processes: {not_on_old_code: PACKAGE}",
        "no process maps, holds open or was started with a file the package has replaced",
        "some do; the reason names them",
        "one may have read such a file; not root; `/proc` not readable",
    ),
)


def name(params: dict[str, Any]) -> str:
    return str(params["not_on_old_code"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    package = params["not_on_old_code"]
    if not installed(host, package):
        return _absent(host, package, context)
    found = ask(host, package)
    if not found:
        return passed(f"no process runs code that {package} has replaced")
    if sure := [one for one in found if one["sure"]]:
        return failed(f"{len(sure)} on the old code of {package}: {_shown(sure)}")
    return unknown(f"may have read files of {package} before the fix came, restart them to know: {_shown(found)}")


def _shown(processes: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['name']}[{one['pid']}]" for one in processes[:5])


def _absent(host: AgentHost, package: str, context: Context) -> Verdict:
    """A package that was removed takes the list of its files with it: what still runs of it cannot be told any more.

    Where another of the remedy's is here instead, no process on files that are gone means none on files of this one.
    """
    affected = context.remedy["affected"]["packages"]
    if fixed_in(host, package, affected) in (None, "not_affected"):
        return passed(f"{package} is not installed, and the remedy names none for {distro(host)}")
    others = [one["name"] for one in affected if one["name"] != package and installed(host, one["name"])]
    if others and not (gone := ask(host, "--gone")):
        return passed(f"{package} is not installed ({others[0]} is), and no process runs a program that is gone")
    if others:
        return unknown(f"{package} is not installed, and these run programs that are gone: {_shown(gone)}")
    return unknown(f"{package} is not installed, so there is no telling what still runs of it")


def ask(host: AgentHost, word: str) -> list[dict[str, Any]]:
    """Of a package; or `--gone`: all that run programs that are gone."""
    found = on_host.ask(host, "processes", word)
    if not isinstance(found, list):
        raise Surprise(f"not a list of processes: {found}")
    return found
