"""Where a host stands with a remedy: cases as data, named by behaviour."""

from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.module_utils import decide, packages
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError

CASES = sorted((Path(__file__).parents[2] / "cases/assess").glob("*.yml"))


class RecordedFacts:
    """Answers from a case file what facts.HostFacts would gather."""

    def __init__(self, case):
        self.case = case
        self.distro = case.get("distro", "debian-12")
        self.kernel = case.get("kernel")
        self.own_kernel = case.get("own_kernel", "")
        self.unreadable = case.get("unreadable")
        self.compare = packages.family(self.distro).facts.compare
        self.installed = {name: [fact(name, one) for one in there] for name, there in case.get("installed", {}).items()}

    def old_code(self, names):
        if self.case.get("old_code_unreadable"):
            raise PermissionError(self.case["old_code_unreadable"])
        assert names, "asked for nobody's processes"
        return [{"sure": True, **one} for one in self.case.get("old_code", [])]

    def waits_for_boot(self, remedy):
        if self.case.get("waits_for_boot_unreadable"):
            raise JournalError(self.case["waits_for_boot_unreadable"])
        return self.case.get("waits_for_boot", False)

    def second_opinion(self, names, old_code):
        return self.case.get("second_opinion", "")

    def when(self, conditions):
        return self.case.get("when", [])

    def moved_by_us(self, remedy):
        return set(self.case.get("moved_by_us", []))

    def mitigations(self, remedy):
        entry = {"state": "applied", "reason": ""}
        return [{**entry, "entry": f"E{n}", **one} for n, one in enumerate(self.case.get("journal", []))]


def fact(name, one):
    return {"name": name, "arch": "amd64", "version": one["source_version"], "broken": None, "held": False, **one}


def remedy_of(case):
    packages = [{"introduced": None, **package} for package in case["packages"]]
    return {
        "id": "CVE-2026-1",
        "revision": 3,
        "mitigations": case.get("mitigations", []),
        "fix": {"reboot": case.get("reboot", "if_required")},
        "affected": {"packages": packages, "when": []},
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_assess(path):
    case = yaml.safe_load(path.read_text())
    expect = case["expect"]
    assessment = decide.assess(remedy_of(case), RecordedFacts(case))
    assert (assessment["state"], assessment["code"]) == (expect["state"], expect["code"]), assessment["reason"]
    assert expect.get("reason", "") in assessment["reason"]
    assert assessment["evidence"]["mitigation"] == expect.get("mitigation", assessment["evidence"]["mitigation"])
    assert (assessment["remedy"], assessment["revision"]) == ("CVE-2026-1", 3)


def test_every_code_of_the_contract_has_a_case_and_a_state():
    seen = {yaml.safe_load(path.read_text())["expect"]["code"] for path in CASES}
    assert seen == set(decide.STATES)


def test_every_code_is_in_the_reference():
    text = (Path(__file__).parents[3] / "docs/reference/verdicts.md").read_text()
    assert [code for code in decide.STATES if f"`{code}`" not in text] == []


def test_processes_are_not_asked_for_while_the_fix_is_not_on_disk():
    case = yaml.safe_load((CASES[0].parent / "a_version_below_the_fix_is_exposed.yml").read_text())
    facts = RecordedFacts({**case, "old_code_unreadable": "must not be asked"})
    assert decide.assess(remedy_of(case), facts)["code"] == "below_fixed"


def test_many_old_processes_are_told_briefly():
    processes = [{"name": f"daemon{n % 7}", "pid": n} for n in range(40)]
    told = decide.who(processes)
    assert told.endswith("and 2 more")
    assert len(told) < 200
