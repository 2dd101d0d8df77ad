"""The fix with real zypper: a lab host that says it is sles-15, and repositories of small packages built on it.

Each test has packages and a repository of its own, so that they do not meet on the one host.
"""

import dataclasses

import pytest

from stopgap.lab import HostSpec
from stopgap.lab.rpm_host import ZYPPER_PACKAGES, Erratum, Rpm, RpmHost
from tests.e2e.target_side import assess, bring, patch, remedy, rollback
from tests.labs import lab_of

pytestmark = pytest.mark.lab
HOST = "su1"


@pytest.fixture(scope="module")
def lab():
    with lab_of("zypper", HostSpec(HOST, "bookworm", ZYPPER_PACKAGES)) as made:
        bring(made, HOST)
        yield made


@pytest.fixture(scope="module")
def sles(lab):
    return RpmHost(lab, HOST, "sles-15")


def fix_of(package, **more):
    return remedy(package.name, "sles-15", package.version, **more)


def newer(package, version, **changes):
    return dataclasses.replace(package, version=version, **changes)


def versions(lab, name):
    done = lab.exec(HOST, ["rpm", "-q", "--qf", "%{EVR}.%{ARCH}\n", name], check=False)
    return sorted(done.stdout.split()) if done.returncode == 0 else []


def told(result):
    return result["state"], result["code"], result["changed"]


def test_from_exposed_to_fixed_and_what_runs_on_between(lab, sles):
    daemon = {"copies": {"/usr/sbin/daemond": "/bin/sleep"}, "service": "/usr/sbin/daemond infinity"}
    old, fixed = Rpm("daemon", "1:1.0-150500.1.1", **daemon), Rpm("daemon", "1:1.0-150500.1.4.1", **daemon)
    sles.build(old, fixed, repository="daemon")
    # the trap: without a terminal, zypper patch skips what suggests a reboot and says that nothing is needed
    sles.publish("daemon", errata=[Erratum("SUSE-2026-1", ["CVE-2026-1"], [fixed], reboot=True)])
    sles.install(old, repository="daemon")
    lab.exec(HOST, ["systemctl", "daemon-reload"])
    lab.exec(HOST, ["systemctl", "start", "daemon"])
    fix = fix_of(fixed, then=[{"type": "restart", "params": "daemon"}])
    found = assess(lab, HOST, fix)
    assert (found["state"], found["reason"]) == ("exposed", "daemon 1:1.0-150500.1.1 < 1:1.0-150500.1.4.1")

    lab.exec(HOST, ["zypper", "--non-interactive", "refresh"])
    predicted = patch(lab, HOST, fix, check=True)
    assert told(predicted) == ("would_install", "would_install", True)
    assert versions(lab, "daemon") == ["1:1.0-150500.1.1.x86_64"]

    done = patch(lab, HOST, fix, restart=False)
    assert told(done) == ("installed", "installed", True)
    assert done["packages"][0]["after"] == predicted["packages"][0]["candidate"] == fixed.version
    assert [(old["name"], old["unit"], old["files"]) for old in done["old_code"]] == [
        ("daemond", "daemon.service", ["/usr/sbin/daemond"])
    ]
    assert assess(lab, HOST, fix)["code"] == "old_code"
    again = patch(lab, HOST, fix)
    assert (again["state"], again["restarted"], again["old_code"]) == ("already", ["daemon"], [])
    assert assess(lab, HOST, fix)["code"] == "awaiting_proof"
    assert told(patch(lab, HOST, fix)) == ("already", "already_fixed", False)


def test_what_is_locked_is_held(lab, sles):
    old, fixed = Rpm("held", "1-1"), Rpm("held", "1-2")
    sles.offer(old, fixed, repository="held")
    sles.install(old, repository="held")
    lab.exec(HOST, ["zypper", "addlock", "hel?"])
    result = patch(lab, HOST, fix_of(fixed))
    assert told(result) == ("refused", "held", False)
    assert "zypper removelock" in result["reason"]
    lab.exec(HOST, ["zypper", "removelock", "hel?"])
    assert told(patch(lab, HOST, fix_of(fixed))) == ("installed", "installed", True)


def test_a_candidate_too_old_and_a_repository_that_is_down(lab, sles):
    old, better = Rpm("late", "1-1"), Rpm("late", "1-2")
    sles.offer(old, better, repository="late")
    sles.install(old, repository="late")
    fix = remedy("late", "sles-15", "1-3")
    result = patch(lab, HOST, fix)
    assert told(result) == ("refused", "candidate_too_old", False)
    assert result["reason"] == "late: candidate 1-2 < required 1-3"
    assert told(patch(lab, HOST, remedy("nowhere", "sles-15", "1-1")))[:2] == ("already", "not_installed")
    down = "[down]\nname=down\nbaseurl=http://127.0.0.1:9/\nenabled=1\nautorefresh=1\n"
    lab.write_file(HOST, "/etc/zypp/repos.d/down.repo", down)
    try:
        result = patch(lab, HOST, fix)  # zypper refresh says 0 all the same
        assert told(result) == ("refused", "repository_down", False)
        assert "Repository 'down'" in result["reason"]
        assert told(patch(lab, HOST, fix_of(better))) == ("installed", "installed", True)
    finally:
        lab.exec(HOST, ["rm", "/etc/zypp/repos.d/down.repo"])


def test_a_package_that_no_repository_has_any_more(lab, sles):
    orphan = Rpm("orphan", "1-1")
    sles.build(orphan, repository="orphan")
    sles.install(orphan, repository="orphan")
    assert told(patch(lab, HOST, remedy("orphan", "sles-15", "1-2"))) == ("refused", "no_candidate", False)


def test_a_second_architecture_is_not_thrown_out(lab, sles):
    """zypper keeps one architecture of a name (SUSE calls libraries for another NAME-32bit): it is not asked to."""
    wide, narrow = Rpm("twice", "1-1"), Rpm("twice", "1-1", arch="i686")
    sles.offer(wide, narrow, newer(wide, "1-2"), newer(narrow, "1-2"), repository="twice")
    sles.install(wide, narrow, repository="twice")
    result = patch(lab, HOST, remedy("twice", "sles-15", "1-2"))
    assert told(result) == ("refused", "removal_needed", False)
    assert result["reason"] == "zypper would remove twice.i686"
    assert versions(lab, "twice") == ["1-1.i686", "1-1.x86_64"]
    lab.exec(HOST, ["rpm", "-e", "--nodeps", "twice.i686"])
    assert told(patch(lab, HOST, remedy("twice", "sles-15", "1-2"))) == ("installed", "installed", True)


def test_a_package_gone_from_the_mirror_keeps_back_its_own_remedy_only(lab, sles):
    gone, there = Rpm("gone", "1-1"), Rpm("there", "1-1")
    sles.build(gone, newer(gone, "1-2"), there, newer(there, "1-2"), repository="mirror")
    server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/srv/rpm/mirror", "8123"]
    lab.exec(HOST, ["systemd-run", "--unit=mirror", *server])
    sles.publish("mirror", url="http://127.0.0.1:8123")
    sles.install(gone, there, repository="mirror")
    sles.withdraw(newer(gone, "1-2"), repository="mirror")
    first, second = patch(lab, HOST, remedy("gone", "sles-15", "1-2"), remedy("there", "sles-15", "1-2"))
    assert told(first) == ("refused", "download_failed", False)
    assert told(second) == ("installed", "installed", True)
    assert versions(lab, "gone") == ["1-1.x86_64"]


def test_nothing_is_removed_for_a_fix(lab, sles):
    bystander, old = Rpm("bystander", "1-1"), Rpm("greedy", "1-1")
    greedy = newer(old, "1-2", headers=["Obsoletes: bystander"])
    rude, neighbour = Rpm("rude", "1-2", headers=["Conflicts: neighbour"]), Rpm("neighbour", "1-1")
    sles.offer(bystander, old, greedy, Rpm("rude", "1-1"), rude, neighbour, repository="greedy")
    sles.install(bystander, old, Rpm("rude", "1-1"), neighbour, repository="greedy")
    result = patch(lab, HOST, fix_of(greedy))
    assert told(result) == ("refused", "removal_needed", False)
    assert result["reason"] == "zypper would remove bystander"
    assert told(patch(lab, HOST, fix_of(greedy), check=True)) == ("refused", "removal_needed", False)
    result = patch(lab, HOST, fix_of(rude))
    assert told(result) == ("refused", "dependencies", False)
    assert "conflicts with neighbour" in result["reason"]
    assert [versions(lab, name) for name in ("bystander", "neighbour")] == [["1-1.x86_64"]] * 2


def test_what_cannot_be_installed_says_why(lab, sles):
    needy = Rpm("needy", "1-2", headers=["Requires: nobody-has-this"])
    failing, late = Rpm("failing", "1-2", scripts="%pre\nexit 1"), Rpm("late-script", "1-2", scripts="%post\nexit 1")
    old = [Rpm(name, "1-1") for name in ("needy", "failing", "late-script")]
    sles.offer(*old, needy, failing, late, repository="needy")
    sles.install(*old, repository="needy")
    result = patch(lab, HOST, fix_of(needy))
    assert told(result) == ("refused", "dependencies", False)
    assert "nobody-has-this" in result["reason"]
    result = patch(lab, HOST, fix_of(failing))
    assert told(result) == ("failed", "rpm_failed", False)
    assert "%prein(failing-1-2.x86_64) scriptlet failed" in result["reason"]
    # 107: the files are in place, a script after them failed
    result = patch(lab, HOST, fix_of(late))
    assert told(result) == ("installed", "installed", True)
    assert "a script of a package failed" in result["reason"]


def test_who_holds_the_lock_is_told_when_the_limit_passes(lab, sles):
    sles.offer(Rpm("locked", "1-1"), Rpm("locked", "1-2"), repository="locked")
    sles.install(Rpm("locked", "1-1"), repository="locked")
    code = (
        "import os, time; open('/run/zypp.pid', 'w').write(str(os.getpid())); open('/run/held', 'w'); time.sleep(600)"
    )
    lab.exec(HOST, ["systemd-run", "--unit=holder", "--collect", "python3", "-c", code])
    lab.exec(HOST, ["sh", "-c", "for n in $(seq 100); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1"])
    pid = lab.exec(HOST, ["systemctl", "show", "--value", "--property=MainPID", "holder"]).stdout.strip()
    result = patch(lab, HOST, remedy("locked", "sles-15", "1-2"), lock_timeout=1)
    lab.exec(HOST, ["systemctl", "stop", "holder"])
    assert told(result) == ("refused", "lock_timeout", False)
    assert result["reason"] == f"/run/zypp.pid is still held by process {pid} (python3)"


def test_an_edited_configuration_file_is_kept_and_told_and_replaced_when_asked(lab, sles):
    path = "/etc/conf.conf"
    old = Rpm("conf", "1-1", files={path: "protocols=all\n"}, config=[path])
    fixed = newer(old, "1-2", files={path: "protocols=safe\n"})
    sles.offer(old, fixed, repository="conf")
    sles.install(old, repository="conf")
    lab.write_file(HOST, path, "protocols=all cups\n")
    result = patch(lab, HOST, fix_of(fixed))
    assert told(result) == ("installed", "installed", True)
    assert result["conffiles"] == [{"path": path, "kept": "local", "other": f"{path}.rpmnew"}]
    result = patch(lab, HOST, fix_of(fixed), conffiles="replace")
    assert told(result) == ("installed", "conffiles_replaced", True)
    lab.write_file(HOST, path, "protocols=mine\n")
    assert told(patch(lab, HOST, fix_of(fixed), conffiles="replace")) == ("installed", "conffiles_replaced", True)
    assert lab.exec(HOST, ["cat", path, f"{path}.rpmsave"]).stdout == "protocols=safe\nprotocols=mine\n"


def test_a_bad_fix_goes_back_with_what_came_with_it(lab, sles):
    tool, part = Rpm("tool", "1:1-1"), Rpm("tool-libs", "1-1")
    newest = newer(tool, "1:1-2", headers=["Requires: tool-libs >= 1-2"])
    sles.offer(tool, part, newest, newer(part, "1-2"), repository="tool")
    sles.install(tool, part, repository="tool")
    done = patch(lab, HOST, fix_of(newest))
    assert told(done) == ("installed", "installed", True)
    assert (versions(lab, "tool"), versions(lab, "tool-libs")) == (["1:1-2.x86_64"], ["1-2.x86_64"])
    assert done["rollback"]["possible"] is True
    back = rollback(lab, HOST, fix_of(newest))
    assert (back["state"], back["changed"]) == ("rolled_back", True), back["reason"]
    assert (versions(lab, "tool"), versions(lab, "tool-libs")) == (["1:1-1.x86_64"], ["1-1.x86_64"])
