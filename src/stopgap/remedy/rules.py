"""What must hold between the parts of a remedy: the meaning behind the schema. Each rule yields (where, what)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from stopgap.remedy.models import Indicator, Mitigation, Obligation, Remedy
from stopgap.remedy.values import valid_version

Finding = tuple[tuple[str | int, ...], str]
Rule = Callable[[Remedy], Iterator[Finding]]


def something_to_look_at(remedy: Remedy) -> Iterator[Finding]:
    if not remedy.affected.packages and not remedy.affected.when:
        yield ("affected",), "names neither packages nor `when` probes, so no host could ever be assessed"


def something_to_do(remedy: Remedy) -> Iterator[Finding]:
    if not remedy.mitigations and not remedy.fix.packages and not remedy.fix.obligations:
        yield ("fix",), "neither mitigates nor fixes: add a mitigation, fix packages or an obligation"


def fix_is_checked(remedy: Remedy) -> Iterator[Finding]:
    if not remedy.checks:
        yield ("checks",), "the remedy has no checks, so a fix could never be proven: add at least a package check"


def mitigations_are_checked(remedy: Remedy) -> Iterator[Finding]:
    for n, mitigation in enumerate(remedy.mitigations):
        if not mitigation.checks:
            where = ("mitigations", n, "checks")
            yield where, f"mitigation '{mitigation.id}' has no checks: nothing could prove it is in force"


def ids_differ(remedy: Remedy) -> Iterator[Finding]:
    listings: tuple[tuple[tuple[str, ...], Sequence[Mitigation | Obligation | Indicator]], ...] = (
        (("mitigations",), remedy.mitigations),
        (("fix", "obligations"), remedy.fix.obligations),
        (("indicators",), remedy.indicators),
    )
    for where, entries in listings:
        seen: set[str] = set()
        for n, entry in enumerate(entries):
            if entry.id in seen:
                yield (*where, n, "id"), f"the id '{entry.id}' is used twice; a record could not say which was meant"
            seen.add(entry.id)


def tasks_come_last(remedy: Remedy) -> Iterator[Finding]:
    """The role runs them on the controller after the module has done the rest."""
    for n, mitigation in enumerate(remedy.mitigations):
        is_tasks = [action.type == "tasks" for action in mitigation.actions]
        for m, (this, following) in enumerate(pairwise(is_tasks)):
            if this and not following:
                yield ("mitigations", n, "actions", m), "`tasks` actions must be the last ones of a mitigation"


def status_is_explained(remedy: Remedy) -> Iterator[Finding]:
    for n, mitigation in enumerate(remedy.mitigations):
        where = ("mitigations", n, "status")
        if mitigation.status == "partial" and not mitigation.leaves:
            yield where, "a partial mitigation needs `leaves`: what stays open"
        if mitigation.status == "withdrawn" and not mitigation.why:
            yield where, "a withdrawn mitigation needs `why`: who took it back and for what reason"


def fix_packages_are_affected(remedy: Remedy) -> Iterator[Finding]:
    affected = {package.name for package in remedy.affected.packages}
    for n, name in enumerate(remedy.fix.packages):
        if name not in affected:
            where = ("fix", "packages", n)
            yield where, f"'{name}' is not among affected.packages, so no version is known that fixes it: list it there"


def package_checks_know_the_fix(remedy: Remedy) -> Iterator[Finding]:
    affected = {package.name for package in remedy.affected.packages}
    for n, check in enumerate(remedy.checks):
        if check.type == "package" and check.params.at_least == "fixed" and check.params.name not in affected:
            where = ("checks", n, "package", "name")
            yield where, f"`at_least: fixed` needs '{check.params.name}' among affected.packages, or a version instead"


def versions_are_versions(remedy: Remedy) -> Iterator[Finding]:
    for n, package in enumerate(remedy.affected.packages):
        since = package.introduced
        strange = [distro for distro in package.fixed_in if since and not valid_version(distro, since)]
        if strange:
            told = f"'{since}' is no package version of {strange[0]}: write the first one with the bug"
            yield ("affected", "packages", n, "introduced"), told
        for distro, fixed in package.fixed_in.items():
            where = ("affected", "packages", n, "fixed_in", distro)
            if fixed == []:
                yield where, "an empty list fixes nothing: name a version, or write not_affected"
            for version in [] if isinstance(fixed, str) else fixed:
                if not valid_version(distro, version):
                    yield where, f"'{version}' is no package version of {distro}; copy the source version as it stands"


def obligations_can_be_met(remedy: Remedy) -> Iterator[Finding]:
    for n, obligation in enumerate(remedy.fix.obligations):
        if not obligation.checks and not obligation.attest:
            where = ("fix", "obligations", n)
            yield where, f"obligation '{obligation.id}' could never be met: give it checks, or `attest: true`"


RULES: tuple[Rule, ...] = (
    something_to_look_at,
    something_to_do,
    fix_is_checked,
    mitigations_are_checked,
    ids_differ,
    tasks_come_last,
    status_is_explained,
    fix_packages_are_affected,
    package_checks_know_the_fix,
    versions_are_versions,
    obligations_can_be_met,
)
