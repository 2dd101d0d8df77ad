"""One remedy through its contract: choose the ground, make the host, walk the steps, clean up."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stopgap.contract.archive import Archive, archive
from stopgap.contract.errors import ContractError
from stopgap.contract.ground import SUITES, Ground, choose
from stopgap.contract.needs import (
    fix_not_here,
    mitigation_not_here,
    not_here,
    read_needs,
    usable,
    watched,
)
from stopgap.contract.outcome import Report, Step
from stopgap.contract.prepare import make_vulnerable, publish_fix
from stopgap.contract.proof import Prover
from stopgap.contract.rpm import tools
from stopgap.contract.sidecar import Surroundings, load_sidecar
from stopgap.contract.steps import Contract, all_steps
from stopgap.contract.verbs import Verbs
from stopgap.lab import HostSpec, Lab, SuiteGoneError
from stopgap.lab.engine import detect_engine
from stopgap.remedy import load
from stopgap.remedy.catalogue import resolved

HOST = "host"
Told = Callable[[Step], None]
Said = Callable[[str], None]


def _nothing(_: Any) -> None:
    pass


def try_remedy(
    file: Path, *, suite: str = "", keep: bool = False, tell: Told = _nothing, say: Said = _nothing
) -> Report:
    """Raises RemedyError for a broken remedy, ContractError and LabError where nothing could be tried."""
    remedy = resolved(load(file), file)
    told = load_sidecar(file)
    report = Report(remedy["id"], remedy["revision"], remedy["title"])
    if why := told.why.all or not_here(remedy):
        return _not_run(report, remedy, why, tell)
    detect_engine()  # a machine that cannot have lab hosts says so first
    ground = _choose(remedy, told, suite)
    report.suite, report.ground = ground.suite, str(ground)
    lab = Lab(lab_name(remedy["id"], os.getpid()), say)
    try:
        _try_on(lab, file, remedy, told, ground, report, tell, say)
    except BaseException:
        if keep:
            say(left_words(lab.name))
        raise
    finally:
        if not keep:
            lab.down()
    if keep:
        report.left = left_words(lab.name)
    elif report.result == "failed":
        report.left = "the host is gone; --keep leaves it there to look inside"
    return report


def lab_name(remedy: str, process: int) -> str:
    return f"try-{remedy.lower()}"[:20].rstrip("-") + f"-{process}"


def left_words(lab: str) -> str:
    return (
        f"the host is kept as lab {lab}: `stopgap lab ssh {HOST} --name {lab}` looks inside, "
        f"`stopgap lab down --name {lab}` removes it"
    )


def _try_on(
    lab: Lab,
    file: Path,
    remedy: dict[str, Any],
    told: Surroundings,
    ground: Ground,
    report: Report,
    tell: Told,
    say: Said,
) -> None:
    say(f"{remedy['id']}: {ground}")
    lab.up([HostSpec(HOST, ground.suite, tools(ground.distro) if ground.is_rpm else ())])
    needs = read_needs(remedy)
    versions = make_vulnerable(lab, HOST, ground, _archive(ground.suite), needs, told, say)
    report.packages = [
        {"name": one.name, "kind": one.kind, "vulnerable": versions.get(one.name) or one.vulnerable, "fixed": one.fixed}
        for one in ground.packages
    ]
    with tempfile.TemporaryDirectory(prefix="stopgap-contract-") as state:
        contract = Contract(
            remedy=remedy,
            lab=lab,
            host=HOST,
            verbs=Verbs(remedy["id"], file.parent, lab.inventory, HOST, Path(state)),
            prove=Prover(remedy, HOST, lab.inventory),
            watched=watched(remedy, tuple(told.volatile)),
            publish=lambda: publish_fix(lab, HOST, ground),
            before_fix=lambda: _run_all(lab, told.before_fix),
            tell=tell,
        )
        loaded = loaded_modules()
        reasons = told.why.mitigations
        not_run = {item["id"]: reasons.get(item["id"]) or mitigation_not_here(item, loaded) for item in usable(remedy)}
        report.steps = contract.run(usable(remedy), not_run, told.why.fix or fix_not_here(remedy))


def _run_all(lab: Lab, commands: Sequence[list[str]]) -> None:
    for argv in commands:
        lab.exec(HOST, argv)


def _choose(remedy: dict[str, Any], told: Surroundings, wanted: str) -> Ground:
    """`wanted` is a suite, or a release as remedies name it."""
    suite = SUITES.get(wanted, wanted) or told.suite or ""
    if suite in SUITES.values():
        return choose(remedy, _archive, (suite,), told.standin)
    named = {key for package in remedy["affected"]["packages"] for key in package["fixed_in"]}
    if suite and suite not in named:
        known = ", ".join(sorted(named | set(SUITES)))
        raise ContractError(f"{remedy['id']} cannot be tried on {suite}: choose one of {known}")
    return choose(remedy, _archive, standin=told.standin, distro=suite)


def _archive(suite: str) -> Archive:
    try:
        return archive(suite)
    except SuiteGoneError:
        return Archive(suite, {}, {})  # past its support: the other releases will do


def loaded_modules() -> frozenset[str]:
    """Of the machine's kernel; one without modules has no such file."""
    listed = Path("/proc/modules")
    return frozenset(line.split()[0] for line in listed.read_text().splitlines()) if listed.exists() else frozenset()


def _not_run(report: Report, remedy: dict[str, Any], why: str, tell: Told) -> Report:
    report.ground = "not run here"
    for name, mitigation in all_steps(usable(remedy)):
        step = Step(name, "not run", f"not run here: {why}", mitigation)
        report.steps.append(step)
        tell(step)
    return report
