"""What must hold for every remedy that ships. Adding a remedy adds its tests."""

import re

import pytest

from stopgap.collection import collection_root
from stopgap.remedy import Remedy, load
from stopgap.remedy.lint import lint
from stopgap.remedy.types import ACTIONS

FILES = sorted((collection_root() / "remedies").glob("*.yml"))


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def remedy(request) -> Remedy:
    return load(request.param)


def test_catalogue_is_clean():
    assert [str(problem) for problem in lint(FILES)] == []


def test_fix_is_proven_by_version_and_by_what_runs(remedy):
    """Version on disk and no process on the old code, or nothing is fixed; of a kernel, the one that runs."""
    kinds = {check.type for check in remedy.checks}
    if remedy.affected.packages:
        assert "package" in kinds
        assert kinds & {"processes", "kernel"}
    else:
        assert kinds


def test_every_affected_package_is_checked(remedy):
    checked = {check.params.name for check in remedy.checks if check.type == "package"}
    assert checked == {package.name for package in remedy.affected.packages}


def test_every_mitigation_is_known_to_be_undone(remedy):
    for mitigation in remedy.mitigations:
        for action in mitigation.actions:
            assert action.type in ACTIONS
            assert action.type not in ("command", "tasks") or action.params.revert


def test_fix_checks_hold_while_the_mitigation_is_in_force(remedy):
    """A mitigation is lifted only after the fix is proven (P2): what it stops cannot be asked to run."""
    stopped = {
        action.params.name
        for mitigation in remedy.mitigations
        for action in mitigation.actions
        if action.type == "service" and action.params.running is False
    }
    checks = [*remedy.checks, *(check for obligation in remedy.fix.obligations for check in obligation.checks)]
    asked = {check.params.name for check in checks if check.type == "service" and check.params.running}
    assert not stopped & asked


def test_drop_ins_carry_the_remedys_name_and_are_validated(remedy):
    for mitigation in remedy.mitigations:
        for action in mitigation.actions:
            if action.type == "file" and action.params.content is not None:
                assert remedy.id in action.params.path
                assert action.params.validate_with


def test_facts_have_a_source(remedy):
    assert remedy.references
    assert remedy.published is not None
    assert re.fullmatch(r"(CVE|MS|GHSA|DSA|USN)[-\d].*", remedy.id)
