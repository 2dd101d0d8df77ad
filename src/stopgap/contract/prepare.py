"""Makes a lab host into one that a remedy's vulnerability is found on."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stopgap.contract import rpm
from stopgap.contract.archive import Archive
from stopgap.contract.errors import GroundError
from stopgap.contract.ground import Ground, Packaged
from stopgap.contract.needs import Needs
from stopgap.contract.programs import package_of_program, package_of_unit
from stopgap.contract.sidecar import Surroundings
from stopgap.contract.versions import at_least
from stopgap.lab import Lab, LabError

HERE = Path(__file__).parent / "on_host"


def make_vulnerable(
    lab: Lab, host: str, ground: Ground, archive: Archive, needs: Needs, told: Surroundings, say: Callable[[str], None]
) -> dict[str, str]:
    """The versions of the affected packages then on the host. `say` is told what could not be provided for the remedy.

    Raises GroundError where the host cannot be made vulnerable at all.
    """
    answer = _ask(lab, host, "packages.py", package_plan(ground, archive, needs, told))
    versions: dict[str, str] = answer["versions"]
    if ground.is_rpm:
        versions = rpm.make_vulnerable(lab, host, ground, needs)
    elif ground.poses:
        _pose(lab, host, ground.distro)
    for path, content in told.files.items():
        lab.write_file(host, path, content)
    surrounded = _ask(lab, host, "surroundings.py", {**asdict(needs), "programs": [], "packages": []})
    for problem in [*answer["notes"], *surrounded["problems"]]:
        say(f"not provided: {problem}")
    for program in answer["missing"]:
        say(f"not provided: no package is known for {program}: name it under `packages` in tests/ID.yml")
    for argv in told.prepare:
        _must(lab, host, argv)
    return versions


def publish_fix(lab: Lab, host: str, ground: Ground) -> None:
    """Until now the package manager has not seen the fixed packages."""
    if ground.is_rpm:
        rpm.publish_fix(lab, host, ground)
        return
    if any(package.archived for package in ground.packages):
        lab.security(host)
    if any(not package.archived for package in ground.packages):
        _ask(lab, host, "packages.py", {"publish": True})


def package_plan(ground: Ground, archive: Archive, needs: Needs, told: Surroundings) -> dict[str, Any]:
    """What on_host/packages.py is asked. An rpm host is Debian underneath, and has its programs from there."""
    known = set(archive.main)
    plan = {
        "install": sorted(told.packages),
        "programs": {program: package_of_program(program, known) for program in needs.programs},
        "units": {},
        "vulnerable": [],
        "fixed": [],
        "others": [],
    }
    return plan if ground.is_rpm else plan | _debian_plan(ground, archive, needs, told, known)


def _debian_plan(ground: Ground, archive: Archive, needs: Needs, told: Surroundings, known: set[str]) -> dict[str, Any]:
    affected = {package.name for package in ground.packages}
    built = [package for package in ground.packages if package.kind != "real"]
    others = [(name, version) for name, version in needs.packages.items() if name not in affected or version]
    return {
        # in the remedy's order: where its packages keep each other out, the first one named comes first
        "install": list(
            dict.fromkeys(
                [package.name for package in ground.packages if package.kind != "synthetic"]
                + sorted({name for name, _ in others if name in known} | set(told.packages))
            )
        ),
        "units": {unit: package_of_unit(unit, known) for unit in needs.units},
        "vulnerable": [_spec(package, package.vulnerable) for package in ground.packages if package in built]
        + [_bare(name) for name, _ in others if name not in known and name not in affected],
        "fixed": [_spec(package, package.fixed) for package in built if not package.archived],
        "others": list(_wanted_versions(others, archive)),
    }


def _spec(package: Packaged, version: str) -> dict[str, str]:
    return {"name": package.name, "kind": package.kind, "version": version}


def _bare(name: str) -> dict[str, str]:
    return {"name": name, "kind": "synthetic", "version": "1.0-1"}


def _wanted_versions(others: Iterable[tuple[str, str | None]], archive: Archive) -> Iterable[dict[str, str]]:
    """The version that an action pins a package to; the archive rarely has it."""
    for name, version in others:
        have = archive.main.get(name)
        if version and not (have and have[0] == version):
            kind = "repacked" if have and at_least(have[0], "0") else "synthetic"
            yield {"name": name, "kind": kind, "version": version}


def _pose(lab: Lab, host: str, distro: str) -> None:
    name, _, version = distro.partition("-")
    text = f'ID={name}\nNAME="{name}"\nVERSION_ID="{version}"\nPRETTY_NAME="{distro} (a stand-in)"\n'
    lab.exec(host, ["rm", "-f", "/etc/os-release"])
    lab.write_file(host, "/etc/os-release", text)


def _ask(lab: Lab, host: str, script: str, asked: dict[str, Any]) -> dict[str, Any]:
    code = (HERE / script).read_text(encoding="utf-8")
    done = lab.exec(host, ["python3", "-c", code], input=json.dumps(asked, default=sorted), check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()
        raise GroundError(last[-1] if last else f"{script} ended with exit code {done.returncode} and said nothing")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _must(lab: Lab, host: str, argv: list[str]) -> None:
    try:
        lab.exec(host, argv)
    except LabError as error:
        raise GroundError(f"'{' '.join(argv)}' of the sidecar failed: {error}") from None
