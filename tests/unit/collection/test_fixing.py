"""What patch would do before it touches anything: plans and obstacles, on recorded facts."""

import errno
import json
import os
from types import SimpleNamespace

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import durable, fixing, patches
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import apt, dpkg
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError

PACKAGE = {"name": "a", "introduced": None, "fixed_in": {"debian-12": ["2-1"]}}
REMEDY = {
    "id": "CVE-1",
    "revision": 1,
    "fix": {"packages": ["a", "b"], "then": []},
    "affected": {"packages": [PACKAGE], "when": []},
}
LOCKED = InstallError("lock_timeout", "/var/lib/dpkg/lock is still held by process 7 (apt)", clean=True)
BROKE = InstallError("dpkg_failed", "apt-get: it broke", clean=False)
GONE = InstallError("download_failed", "apt-get: 404", clean=True)
STALE = {"a": {"version": "1-9", "source_version": "1-9"}}
NEW = {"a": {"version": "2-1+b1", "source_version": "2-1"}}


def fact(name="a", version="1-1", arch="amd64", **more):
    return {
        "name": name,
        "arch": arch,
        "version": version,
        "source": name,
        "source_version": version,
        "broken": None,
        "held": False,
        **more,
    }


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    """The folder of the host's records."""
    monkeypatch.setattr(patches, "BASE", str(tmp_path))
    return tmp_path / "patches"


class Host:
    """Facts and family of a made-up host, which remembers what was asked of apt."""

    def __init__(self, *installed, candidates=None, trouble="", errors=(), pinned=(), past="repository", ours=()):
        self.distro, self.kernel, self.unreadable, self.compare = "debian-12", None, None, dpkg.compare
        self.installed = {one["name"]: [one] for one in installed}
        self.calls, self.errors, self.ours = [], list(errors), set(ours)
        self.family = SimpleNamespace(
            facts=SimpleNamespace(unfinished=list, siblings=sorted, installed=lambda names: self.installed),
            keeping=SimpleNamespace(
                hold=lambda fact: self.calls.append(f"hold {fact['name']}"),
                unhold=lambda fact: self.calls.append(f"unhold {fact['name']}"),
            ),
            past=SimpleNamespace(moves=lambda wanted: None, where=lambda move: past),
            conffiles=SimpleNamespace(of=lambda packages: [], report=lambda found: [], still_edited=lambda *_: []),
            installer=SimpleNamespace(
                update=self.update,
                candidates=lambda names: candidates or {},
                pinned=lambda names: dict(pinned),
                install=self.install,
                simulate=lambda wanted: self.calls.append("simulate"),
                spec=apt.spec,
                MEND=apt.MEND,
                RELEASE=apt.RELEASE,
            ),
        )
        self.trouble = trouble

    def update(self, limit):
        self.calls.append("update")
        return self.trouble

    def install(self, wanted, conffiles, limit, reinstall=False):
        self.calls.append(wanted)
        if self.errors:
            raise self.errors.pop(0)
        for one in wanted:
            name, _equals, version = one.partition("=")
            name, _colon, arch = name.partition(":")
            self.installed = {**self.installed, name: [fact(name, version.partition("+b")[0], arch)]}

    def moved_by_us(self, remedy):
        return self.ours

    def old_code(self, names):
        return []

    def refresh(self):
        pass


def fix(host, check=False, conffiles="keep"):
    return fixing.Fixing(host, fixing.Options(conffiles, 300, True, check)).fix(REMEDY)


def test_the_fix_is_installed_at_exactly_the_candidate():
    host = Host(fact(), candidates=NEW)
    result = fix(host)
    assert host.calls == ["update", ["a:amd64=2-1+b1"]]
    assert (result["state"], result["changed"]) == ("installed", True)
    assert result["packages"] == [
        {"name": "a", "before": "1-1", "after": "2-1", "candidate": "2-1+b1", "required": ["2-1"]}
    ]


def test_check_mode_fetches_and_installs_nothing():
    host = Host(fact(), candidates=NEW)
    assert fix(host, check=True)["state"] == "would_install"
    assert host.calls == ["simulate"]


def test_a_fixed_host_asks_apt_nothing():
    host = Host(fact(version="2-1"))
    result = fix(host)
    assert (result["state"], result["changed"], host.calls) == ("already", False, [])


def test_a_hold_of_our_own_mitigation_makes_way_for_its_fix():
    host = Host(fact(held=True), candidates=NEW, ours=["a"])
    assert fix(host, check=True)["state"] == "would_install"
    assert host.calls == []
    assert fix(host)["state"] == "installed"
    assert host.calls == ["update", "unhold a", ["a:amd64=2-1+b1"]]


def test_a_version_from_before_the_bug_that_our_mitigation_set_is_brought_to_the_fix():
    old = {**REMEDY, "affected": {**REMEDY["affected"], "packages": [{**PACKAGE, "introduced": "1-5"}]}}
    host = Host(fact(held=True), candidates=NEW, ours=["a"])
    assert fixing.Fixing(host, fixing.Options("keep", 300, True, False)).fix(old)["state"] == "installed"


def test_a_package_that_our_mitigation_removed_has_to_be_had_again_first():
    result = fix(Host(candidates=NEW, ours=["a"]))
    assert (result["state"], result["code"]) == ("refused", "removed_by_mitigation")
    assert "lift that" in result["reason"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        (Host(fact(held=True), candidates=NEW), "held"),
        (Host(fact(broken="unpacked", version="2-1"), candidates=NEW), "broken_package"),
        (Host(fact(), candidates={}), "no_candidate"),
        (Host(fact(), candidates=STALE), "candidate_too_old"),
        (Host(fact(), candidates=STALE, pinned={"a": "3-1 is in a repository, but"}), "pinned"),
        (Host(fact(), candidates=STALE, trouble="no route"), "repository_down"),
        (Host(fact(), candidates=NEW, errors=[LOCKED]), "lock_timeout"),
        (Host(fact(), candidates=NEW, errors=[GONE, GONE]), "download_failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_change_nothing(host, code):
    result = fix(host)
    assert (result["state"], result["code"], result["changed"]) == ("refused", code, False)


def test_what_our_own_fix_left_half_way_can_be_taken_back_by_a_later_run():
    host = Host(fact(), candidates=NEW, errors=[BROKE])
    assert fix(host)["state"] == "failed"
    result = fix(Host(fact(broken="half-configured", version="2-1")))
    assert (result["state"], result["code"], result["changed"]) == ("failed", "still_broken_package", False)
    assert result["rollback"]["packages"] == [{"name": "a", "arch": "amd64", "version": "1-1", "from": "repository"}]


def test_what_is_newer_than_the_repositories_is_never_taken_back():
    """A vendor's hotfix of one package of two: dnf's candidates are the repositories' alone, apt's are not."""
    host = Host(fact(), fact("b", "3-1"), candidates={**NEW, "b": {"version": "2-1", "source_version": "2-1"}})
    result = fix(host)
    assert (result["state"], host.calls) == ("installed", ["update", ["a:amd64=2-1+b1"]])
    assert result["rollback"]["packages"] == [{"name": "a", "arch": "amd64", "version": "1-1", "from": "repository"}]


@pytest.mark.parametrize("candidate", [{}, {"b": {"version": "1-5", "source_version": "1-5"}}])
def test_what_is_fixed_already_needs_no_candidate(candidate):
    both = {**REMEDY, "affected": {"packages": [PACKAGE, {**PACKAGE, "name": "b"}], "when": []}}
    host = Host(fact(), fact("b", "3-1"), candidates={**NEW, **candidate})
    result = fixing.Fixing(host, fixing.Options("keep", 300, True, False)).fix(both)
    assert (result["state"], host.calls) == ("installed", ["update", ["a:amd64=2-1+b1"]]), result["reason"]


def test_a_refusal_that_only_lacks_versions_says_both():
    result = fix(Host(fact(), candidates=STALE))
    assert result["reason"] == "a: candidate 1-9 < required 2-1"


def test_a_repository_that_is_down_is_no_obstacle_where_the_fix_is_to_be_had():
    assert fix(Host(fact(), candidates=NEW, trouble="no route to another one"))["state"] == "installed"


def test_a_missing_deb_is_looked_for_once_more_in_fresh_lists():
    host = Host(fact(), candidates=NEW, errors=[GONE])
    assert fix(host)["state"] == "installed"
    assert host.calls.count("update") == 2


def test_lists_are_fetched_once_for_all_remedies():
    host = Host(fact(), candidates=STALE)
    run = fixing.Fixing(host, fixing.Options("keep", 300, True, False))
    run.fix(REMEDY)
    run.fix(REMEDY)
    assert host.calls == ["update"]


def test_what_broke_on_the_way_is_failed():
    result = fix(Host(fact(), candidates=NEW, errors=[BROKE]))
    assert (result["state"], result["code"]) == ("failed", "dpkg_failed")


def test_what_the_system_refuses_on_the_way_is_failed_too():
    """An immutable configuration file whose package's version is to be taken, say: the other remedies' results stay."""
    refused = PermissionError(errno.EPERM, "Operation not permitted", "/etc/a.conf")
    result = fix(Host(fact(), candidates=NEW, errors=[refused]))
    assert (result["state"], result["code"], result["changed"]) == ("failed", "tool_failed", False)
    assert "Operation not permitted: '/etc/a.conf'" in result["reason"]


def test_an_installation_counts_by_what_dpkg_has_afterwards():
    host = Host(fact(), candidates=NEW)
    host.family.installer.install = lambda *_, **__: None
    assert fix(host)["code"] == "still_below_fixed"


def test_a_fix_without_an_installed_package_is_refused():
    remedy = {**REMEDY, "fix": {"packages": ["c"], "then": []}}
    host = Host(fact())
    assert fixing.plan(remedy, fixing.here(remedy, host.installed), host).code == "no_fix_package"


def test_old_code_that_cannot_be_told_is_null_and_said(monkeypatch):
    host = Host(fact(version="2-1"))

    def refuse(names):
        raise PermissionError("cannot read the maps of process 1")

    monkeypatch.setattr(host, "old_code", refuse)
    result = fix(host)
    assert result["old_code"] is None
    assert "is not known: cannot read the maps of process 1" in result["reason"]


def test_a_restart_that_fails_is_told_and_the_fix_stays_installed(monkeypatch):
    def refuse(steps):
        raise Surprise("systemctl try-restart a: exit code 1")

    monkeypatch.setattr(fixing.steps, "run_steps", refuse)
    result = fix(Host(fact(), candidates=NEW))
    assert (result["state"], result["code"]) == ("installed", "step_failed")
    assert "try-restart a" in result["reason"]


def test_check_mode_says_which_services_a_fix_that_lies_there_would_restart(monkeypatch):
    """Somebody else installed it, unattended-upgrades say: the run restarts what is on the old code."""
    host = Host(fact(version="2-1"))
    monkeypatch.setattr(host, "old_code", lambda names: [{"pid": 7, "name": "a", "sure": True}])
    monkeypatch.setattr(fixing.steps, "would_restart", lambda steps: ["a.service"])
    result = fix(host, check=True)
    assert (result["state"], result["code"], result["changed"]) == ("would_install", "would_restart", True)
    assert result["reason"].startswith("would restart a.service: a 2-1 >= 2-1; ")
    later = fixing.Fixing(host, fixing.Options("keep", 300, restart=False, check=True)).fix(REMEDY)
    assert (later["state"], later["changed"]) == ("already", False)
    monkeypatch.setattr(host, "old_code", lambda names: [])
    assert fix(host, check=True)["state"] == "already"


def test_an_old_init_needs_a_reboot(monkeypatch):
    host = Host(fact(version="2-1"))
    monkeypatch.setattr(host, "old_code", lambda names: [{"pid": 1, "name": "systemd", "sure": True}])
    assert fix(host)["reboot_required"] is True


# --- the way back


def test_the_versions_from_before_are_on_disk_before_anything_is_installed(records):
    host = Host(fact(), candidates=NEW)
    written = []
    host.family.installer.install = lambda *_, **__: written.extend(
        json.loads(p.read_text()) for p in records.iterdir()
    )
    fix(host)
    assert [(one["state"], one["packages"]) for one in written] == [
        ("intended", [{"name": "a", "arch": "amd64", "before": "1-1", "after": "2-1+b1"}])
    ]


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_the_fix_has_filled_is_told_and_what_should_follow_is_done(records, monkeypatch):
    host, followed = Host(fact(), candidates=NEW), []
    install = host.family.installer.install

    def fill(*args, **options):
        install(*args, **options)
        monkeypatch.setattr(durable, "write", full_disk)

    host.family.installer.install = fill
    monkeypatch.setattr(
        fixing.steps, "run_steps", lambda steps: followed.append(steps) or {"restarted": [], "left": []}
    )
    result = fix(host)
    assert (result["state"], len(followed)) == ("installed", 1)
    assert "No space left on device" in result["reason"]
    assert "nothing was changed" not in result["reason"]
    assert patches.latest("CVE-1")["packages"]


def test_on_a_full_disk_nothing_is_installed(monkeypatch):
    host = Host(fact(), candidates=NEW)
    monkeypatch.setattr(durable, "write", full_disk)
    result = fix(host)
    assert (result["state"], host.calls) == ("failed", ["update"])
    assert "No space left on device: nothing was changed" in result["reason"]


def test_on_a_full_disk_the_reason_is_still_what_stood_in_the_way(records, monkeypatch):
    host = Host(fact(), candidates=NEW)

    def refuse(*_args, **_options):
        monkeypatch.setattr(durable, "write", full_disk)
        raise LOCKED

    host.family.installer.install = refuse
    assert fix(host)["code"] == "lock_timeout"


@pytest.mark.parametrize("check", [True, False])
def test_a_fix_that_cannot_be_taken_back_says_so(check):
    result = fix(Host(fact(), candidates=NEW, past=None), check=check)
    assert result["rollback"]["possible"] is False
    assert "; this fix cannot be rolled back: neither a repository nor the cache has a 1-1" in result["reason"]


def test_a_look_fetches_the_lists_and_nothing_else(records):
    host = Host(fact(), candidates=NEW)
    result = fixing.Fixing(host, fixing.Options("keep", 300, True, check=True, look=True)).fix(REMEDY)
    assert (result["state"], result["rollback"]["possible"], host.calls) == (
        "would_install",
        True,
        ["update", "simulate"],
    )
    assert not records.exists()


def test_a_fix_of_an_earlier_run_can_still_be_taken_back():
    host = Host(fact(), candidates=NEW)
    fix(host)
    assert fix(host)["rollback"]["packages"] == [{"name": "a", "arch": "amd64", "version": "1-1", "from": "repository"}]


def test_what_was_not_installed_has_no_way_back():
    result = fix(Host(fact(), candidates=NEW, errors=[LOCKED]))
    assert (result["code"], result["rollback"]) == ("lock_timeout", None)


@pytest.mark.parametrize("error", [LOCKED, BROKE])
def test_our_own_hold_is_back_where_the_fix_was_not_installed(error):
    host = Host(fact(held=True), candidates=NEW, ours=["a"], errors=[error])
    fix(host)
    assert host.calls == ["update", "unhold a", ["a:amd64=2-1+b1"], "hold a"]
