"""The fix with real dnf and rpm: a lab host that says it is el-9, and repositories of small packages built on it.

Each test has packages and a repository of its own, so that they do not meet on the one host.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import nevra
from stopgap.lab import HostSpec
from stopgap.lab.rpm_host import DNF_PACKAGES, Erratum, Rpm, RpmHost, Stream
from stopgap.verify.agent import BOOTSTRAP
from stopgap.verify.backend import open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check
from tests.e2e.target_side import assess, bring, patch, remedy, rollback
from tests.e2e.test_patch_lab import run_module
from tests.labs import lab_of
from tests.unit.collection.version_pairs import RPM, generated

pytestmark = pytest.mark.lab
HOST = "el1"
ADVISORIES = Path(__file__).parents[3] / "shared/data/almalinux-osv"  # real ones, where they are
ASK_RPM = """%{{lua: for line in io.lines("{}") do
  local left, right = line:match("(%S+) (%S+)"); print(rpm.vercmp(left, right) .. "\\n") end}}"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("rpm", HostSpec(HOST, "bookworm", DNF_PACKAGES)) as made:
        bring(made, HOST)
        yield made


@pytest.fixture(scope="module")
def el9(lab):
    return RpmHost(lab, HOST, "el-9")


def fix_of(package, **more):
    return remedy(package.name, "el-9", package.version, **more)


def newer(package, version, **changes):
    return dataclasses.replace(package, version=version, **changes)


def versions(lab, name):
    done = lab.exec(HOST, ["rpm", "-q", "--qf", "%{EVR}.%{ARCH}\n", name], check=False)
    return sorted(done.stdout.split()) if done.returncode == 0 else []


def told(result):
    return result["state"], result["code"], result["changed"]


def proof(lab, fix):
    """What the checks that a fix mostly has say."""
    name = fix["fix"]["packages"][0]
    argv = ["ssh", "-F", str(lab.ssh_config), "-T", HOST, f"sudo /usr/bin/python3 -c '{BOOTSTRAP}'"]
    host = open_host(HOST, {"argv": argv, "python": "/usr/bin/python3"}, 30)
    checks = [("package", {"name": name, "at_least": "fixed"}), ("processes", {"not_on_old_code": name})]
    try:
        done = [run_check(host, {"type": kind, "params": params}, Context(fix, "fix")) for kind, params in checks]
        return [(one["verdict"], one["reason"]) for one in done]
    finally:
        host.backend.close()


def test_from_exposed_to_fixed_and_what_runs_on_between(lab, el9):
    daemon = {"copies": {"/usr/sbin/daemond": "/bin/sleep"}, "service": "/usr/sbin/daemond infinity"}
    old, fixed = Rpm("daemon", "1:1.0-1.el9", **daemon), Rpm("daemon", "1:1.0-2.el9_1", **daemon)
    latest = newer(fixed, "1:1.0-10.el9_1")
    el9.build(old, fixed, latest, repository="daemon")
    # the advisory names the first fixed build, dnf names the latest: both hold the fix
    el9.publish("daemon", errata=[Erratum("ALSA-2026:1", ["CVE-2026-1"], [fixed])])
    el9.install(old, repository="daemon")
    lab.exec(HOST, ["systemctl", "daemon-reload"])
    lab.exec(HOST, ["systemctl", "start", "daemon"])
    fix = fix_of(fixed, then=[{"type": "restart_users_of", "params": "daemon"}])
    found = assess(lab, HOST, fix)
    assert (found["state"], found["reason"]) == ("exposed", "daemon 1:1.0-1.el9 < 1:1.0-2.el9_1")
    assert [verdict for verdict, _reason in proof(lab, fix)] == ["fail", "pass"]

    assert told(patch(lab, HOST, fix, check=True)) == ("refused", "no_candidate", False)  # as the lists lie here
    lab.exec(HOST, ["dnf", "makecache"])
    predicted = patch(lab, HOST, fix, check=True)
    assert told(predicted) == ("would_install", "would_install", True)
    assert versions(lab, "daemon") == ["1:1.0-1.el9.x86_64"]

    done = patch(lab, HOST, fix, restart=False)
    assert told(done) == ("installed", "installed", True)
    assert done["packages"][0]["after"] == predicted["packages"][0]["candidate"] == "1:1.0-10.el9_1"
    assert "(dnf history " in done["reason"]
    assert [(old["name"], old["unit"], old["files"]) for old in done["old_code"]] == [
        ("daemond", "daemon.service", ["/usr/sbin/daemond"])
    ]
    assert assess(lab, HOST, fix)["code"] == "old_code"
    assert [verdict for verdict, _reason in proof(lab, fix)] == ["pass", "fail"]
    again = patch(lab, HOST, fix)
    assert (again["state"], again["restarted"], again["old_code"]) == ("already", ["daemon.service"], [])
    assert assess(lab, HOST, fix)["code"] == "awaiting_proof"
    assert proof(lab, fix) == [
        ("pass", "daemon.x86_64 1:1.0-10.el9_1 is at least 1:1.0-2.el9_1"),
        ("pass", "no process runs code that daemon has replaced"),
    ]
    assert told(patch(lab, HOST, fix)) == ("already", "already_fixed", False)


def test_the_modules_work_there_through_ansible(lab, el9):
    el9.offer(Rpm("plainly", "1-1"), Rpm("plainly", "1-2"), repository="plainly")
    el9.install(Rpm("plainly", "1-1"), repository="plainly")
    fix = remedy("plainly", "el-9", "1-2")
    _, said = run_module(lab, HOST, "assess", remedies=[fix])
    assert [(one["state"], one["code"]) for one in said["assessments"]] == [("exposed", "below_fixed")]
    assert (said["system"]["distro"], said["system"]["arch"]) == ("el-9", "x86_64")
    diff, said = run_module(lab, HOST, "patch", "--diff", remedies=[fix])
    assert told(said["results"][0]) == ("installed", "installed", True)
    assert "-plainly 1-1\n+plainly 1-2\n" in diff


def rpm_says(lab, pairs):
    lab.write_file(HOST, "/root/pairs", "".join(f"{left} {right}\n" for left, right in pairs))
    return [int(line) for line in lab.exec(HOST, ["rpm", "--eval", ASK_RPM.format("/root/pairs")]).stdout.split()]


def test_order_is_rpms_own_on_ten_thousand_pairs(lab, el9):
    pairs = generated(10000, 20241, rpm=True)
    expected = rpm_says(lab, pairs)
    assert len(expected) == len(pairs)
    assert [pair for pair, result in zip(pairs, expected, strict=True) if nevra.compare(*pair) != result] == []
    assert {-1, 0, 1} == set(expected)


def test_order_is_rpms_own_on_every_version_of_real_advisories(lab, el9):
    advisories = [json.loads(path.read_text()) for path in sorted(ADVISORIES.glob("*.json"))]
    ranges = [one for advisory in advisories for package in advisory["affected"] for one in package["ranges"]]
    fixed = {event["fixed"] for one in ranges for event in one["events"] if "fixed" in event}
    versions = sorted(fixed | set(RPM))
    pairs = [(left, right) for left in versions for right in versions]
    assert [nevra.compare(*pair) for pair in pairs] == rpm_says(lab, pairs)


def test_what_is_newer_than_the_repositories_is_not_taken_back(lab, el9):
    """A vendor's hotfix of one package of two; it holds the fix though no repository reaches it."""
    old, fixed, library = Rpm("hot", "1-1"), Rpm("hot", "1-2"), Rpm("hot-libs", "1-2")
    hotfix = newer(library, "1-9.hotfix")
    el9.offer(old, fixed, library, repository="hot")
    el9.build(hotfix, repository="by-hand")
    el9.install(old, repository="hot")
    el9.install(hotfix, repository="by-hand")
    fix = fix_of(fixed, packages=["hot", "hot-libs"])
    fix["affected"]["packages"].append({"name": "hot-libs", "introduced": None, "fixed_in": {"el-9": ["1-5"]}})
    assert told(patch(lab, HOST, fix)) == ("installed", "installed", True)
    assert (versions(lab, "hot"), versions(lab, "hot-libs")) == (["1-2.x86_64"], ["1-9.hotfix.x86_64"])


def test_what_is_locked_or_excluded_is_held(lab, el9):
    old, fixed = Rpm("held", "1-1"), Rpm("held", "1-2")
    el9.offer(old, fixed, repository="held")
    el9.install(old, repository="held")
    lab.exec(HOST, ["dnf", "versionlock", "add", "held"])
    result = patch(lab, HOST, fix_of(fixed))
    assert told(result) == ("refused", "held", False)
    assert "dnf versionlock delete" in result["reason"]
    lab.exec(HOST, ["dnf", "versionlock", "delete", "held"])
    conf = lab.exec(HOST, ["cat", "/etc/dnf/dnf.conf"]).stdout
    try:
        lab.write_file(HOST, "/etc/dnf/dnf.conf", conf + "\nexclude=kernel* hel?\n")
        assert told(patch(lab, HOST, fix_of(fixed))) == ("refused", "held", False)
        # an exclusion of the new version alone is no hold: the repository's newest is just not for this host
        lab.write_file(HOST, "/etc/dnf/dnf.conf", conf + "\nexclude=held-1-2*\n")
        result = patch(lab, HOST, fix_of(fixed))
        assert told(result) == ("refused", "pinned", False)
        assert "/etc/dnf/dnf.conf: held-1-2*" in result["reason"]
    finally:
        lab.write_file(HOST, "/etc/dnf/dnf.conf", conf)
    assert told(patch(lab, HOST, fix_of(fixed))) == ("installed", "installed", True)


def test_a_candidate_too_old_and_a_repository_that_is_down(lab, el9):
    old, better = Rpm("late", "1-1"), Rpm("late", "1-2")
    el9.offer(old, better, repository="late")
    el9.install(old, repository="late")
    fix = remedy("late", "el-9", "1-3")
    result = patch(lab, HOST, fix)
    assert told(result) == ("refused", "candidate_too_old", False)
    assert result["reason"] == "late: candidate 1-2 < required 1-3"
    down = "[down]\nname=down\nbaseurl=http://127.0.0.1:9/\ngpgcheck=0\n"
    lab.write_file(HOST, "/etc/yum.repos.d/down.repo", down)
    try:
        result = patch(lab, HOST, fix)
        assert told(result) == ("refused", "repository_down", False)
        assert "repo 'down'" in result["reason"]
        # and it keeps back nothing that the others have
        assert told(patch(lab, HOST, fix_of(better))) == ("installed", "installed", True)
    finally:
        lab.exec(HOST, ["rm", "/etc/yum.repos.d/down.repo"])


def test_every_architecture_is_fixed(lab, el9):
    wide, narrow = Rpm("twice", "1-1"), Rpm("twice", "1-1", arch="i686")
    el9.offer(wide, narrow, newer(wide, "1-2"), newer(narrow, "1-2"), newer(wide, "1-3"), repository="twice")
    el9.install(wide, narrow, repository="twice")
    fix = remedy("twice", "el-9", "1-2")
    assert [one["arch"] for one in assess(lab, HOST, fix)["evidence"]["packages"]] == ["i686", "x86_64"]
    # 1-3 is not there for both
    assert told(patch(lab, HOST, fix)) == ("installed", "installed", True)
    assert versions(lab, "twice") == ["1-2.i686", "1-2.x86_64"]
    lab.exec(HOST, ["rpm", "-e", "--nodeps", "twice.i686"])
    el9.install(narrow, repository="twice")
    assert assess(lab, HOST, fix)["code"] == "below_fixed"


def test_a_module_stream_reaches_its_own_fix(lab, el9):
    """The fix of the newer stream is no fix for a host on the older one, and no reason to switch it."""
    label = {stream: Stream("web", stream, 9020020260101, "abcd1234", []).label for stream in ("1.20", "1.22")}
    old = Rpm("web", "1:1.20.1-3.module_el9.1.0+11+aaaa1111", module=label["1.20"])
    fixed = Rpm("web", "1:1.20.1-4.module_el9.2.0+23+bbbb2222.1", module=label["1.20"])
    other = Rpm("web", "1:1.22.1-5.module_el9.2.0+24+cccc3333.2", module=label["1.22"])
    el9.build(old, fixed, other, repository="web")
    streams = [
        Stream("web", "1.20", 9020020260101, "abcd1234", [old]),
        Stream("web", "1.22", 9020020260101, "abcd1234", [other]),
    ]
    el9.publish("web", streams=streams)
    lab.exec(HOST, ["dnf", "-y", "module", "enable", "web:1.20"])
    el9.install(old, repository="web")
    fix = remedy("web", "el-9", fixed.version)
    fix["affected"]["packages"][0]["fixed_in"]["el-9"] = [fixed.version, other.version]
    assert assess(lab, HOST, fix)["reason"] == f"web {old.version} < {fixed.version}"
    # 1.22's fix is in the repository, and not for this host
    result = patch(lab, HOST, fix)
    assert told(result) == ("refused", "candidate_too_old", False)
    assert fixed.version in result["reason"]
    streams[0] = dataclasses.replace(streams[0], packages=[old, fixed])
    el9.publish("web", streams=streams)
    assert told(patch(lab, HOST, fix)) == ("installed", "installed", True)
    assert versions(lab, "web") == [f"{fixed.version}.x86_64"]
    assert assess(lab, HOST, fix)["code"] == "awaiting_proof"


def test_a_package_gone_from_the_mirror_keeps_back_its_own_remedy_only(lab, el9):
    gone, there = Rpm("gone", "1-1"), Rpm("there", "1-1")
    el9.build(gone, newer(gone, "1-2"), there, newer(there, "1-2"), repository="mirror")
    server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/srv/rpm/mirror", "8123"]
    lab.exec(HOST, ["systemd-run", "--unit=mirror", *server])
    el9.publish("mirror", url="http://127.0.0.1:8123")
    el9.install(gone, there, repository="mirror")
    el9.withdraw(newer(gone, "1-2"), repository="mirror")
    first, second = patch(lab, HOST, remedy("gone", "el-9", "1-2"), remedy("there", "el-9", "1-2"))
    assert told(first) == ("refused", "download_failed", False)
    assert told(second) == ("installed", "installed", True)
    assert versions(lab, "gone") == ["1-1.x86_64"]


def test_nothing_is_removed_for_a_fix(lab, el9):
    bystander, old = Rpm("bystander", "1-1"), Rpm("greedy", "1-1")
    greedy = newer(old, "1-2", headers=["Obsoletes: bystander"])
    rude, neighbour = Rpm("rude", "1-2", headers=["Conflicts: neighbour"]), Rpm("neighbour", "1-1")
    el9.offer(bystander, old, greedy, Rpm("rude", "1-1"), rude, neighbour, repository="greedy")
    el9.install(bystander, old, Rpm("rude", "1-1"), neighbour, repository="greedy")
    result = patch(lab, HOST, fix_of(greedy))
    assert told(result) == ("refused", "removal_needed", False)
    assert "bystander" in result["reason"]
    assert told(patch(lab, HOST, fix_of(greedy), check=True)) == ("refused", "removal_needed", False)
    assert told(patch(lab, HOST, fix_of(rude))) == ("refused", "dependencies", False)
    assert [versions(lab, name) for name in ("bystander", "neighbour")] == [["1-1.x86_64"]] * 2


def test_what_cannot_be_installed_says_why(lab, el9):
    needy = Rpm("needy", "1-2", headers=["Requires: nobody-has-this"])
    failing, late = Rpm("failing", "1-2", scripts="%pre\nexit 1"), Rpm("late-script", "1-2", scripts="%post\nexit 1")
    old = [Rpm(name, "1-1") for name in ("needy", "failing", "late-script")]
    el9.offer(*old, needy, failing, late, repository="needy")
    el9.install(*old, repository="needy")
    result = patch(lab, HOST, fix_of(needy))
    assert told(result) == ("refused", "dependencies", False)
    assert "nobody-has-this" in result["reason"]
    result = patch(lab, HOST, fix_of(failing))
    assert told(result) == ("failed", "rpm_failed", False)
    assert "%prein(failing-1-2.x86_64) scriptlet failed" in result["reason"]
    # to dnf this one is a success
    result = patch(lab, HOST, fix_of(late))
    assert told(result) == ("installed", "installed", True)
    assert "%post(late-script-1-2.x86_64) scriptlet failed" in result["reason"]
    el9.offer(Rpm("unsigned", "1-1"), Rpm("unsigned", "1-2"), repository="unsigned")
    el9.install(Rpm("unsigned", "1-1"), repository="unsigned")
    lab.exec(HOST, ["sed", "-i", "s/gpgcheck=0/gpgcheck=1/", "/etc/yum.repos.d/unsigned.repo"])
    result = patch(lab, HOST, remedy("unsigned", "el-9", "1-2"))
    lab.exec(HOST, ["rm", "/etc/yum.repos.d/unsigned.repo"])  # to dnf such a repository spoils every transaction
    assert told(result) == ("refused", "unauthenticated", False)


@pytest.mark.parametrize(
    ("path", "act"),
    [
        ("/var/lib/rpm/.rpm.lock", "fcntl.lockf(handle, fcntl.LOCK_EX)"),
        ("/var/lib/dnf/rpmdb_lock.pid", "handle.write(str(os.getpid())), handle.flush()"),
    ],
)
def test_who_holds_a_lock_is_told_when_the_limit_passes(lab, el9, path, act):
    el9.offer(Rpm("locked", "1-1"), Rpm("locked", "1-2"), repository="locked")
    el9.install(Rpm("locked", "1-1"), repository="locked")
    code = f"import fcntl, os, time; handle = open({path!r}, 'a'); {act}; open('/run/held', 'w'); time.sleep(600)"
    lab.exec(HOST, ["rm", "-f", "/run/held"])
    lab.exec(HOST, ["systemd-run", "--unit=holder", "--collect", "python3", "-c", code])
    lab.exec(HOST, ["sh", "-c", "for n in $(seq 100); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1"])
    pid = lab.exec(HOST, ["systemctl", "show", "--value", "--property=MainPID", "holder"]).stdout.strip()
    result = patch(lab, HOST, remedy("locked", "el-9", "1-2"), lock_timeout=1)
    lab.exec(HOST, ["systemctl", "stop", "holder"])
    assert told(result) == ("refused", "lock_timeout", False)
    assert result["reason"] == f"{path} is still held by process {pid} (python3)"


def test_an_edited_configuration_file_is_kept_and_told_and_replaced_when_asked(lab, el9):
    path = "/etc/conf.conf"
    old = Rpm("conf", "1-1", files={path: "protocols=all\n"}, config=[path])
    fixed = newer(old, "1-2", files={path: "protocols=safe\n"})
    el9.offer(old, fixed, repository="conf")
    el9.install(old, repository="conf")
    lab.write_file(HOST, path, "protocols=all cups\n")
    result = patch(lab, HOST, fix_of(fixed))
    assert told(result) == ("installed", "installed", True)
    assert result["conffiles"] == [{"path": path, "kept": "local", "other": f"{path}.rpmnew"}]
    assert lab.exec(HOST, ["cat", path]).stdout == "protocols=all cups\n"

    result = patch(lab, HOST, fix_of(fixed), conffiles="replace")
    assert told(result) == ("installed", "conffiles_replaced", True)
    assert lab.exec(HOST, ["cat", path, f"{path}.rpmsave"]).stdout == "protocols=safe\nprotocols=all cups\n"
    assert result["conffiles"] == [{"path": path, "kept": "package", "other": f"{path}.rpmsave"}]
    # edited again, with nothing of the package's beside it
    lab.write_file(HOST, path, "protocols=mine\n")
    assert told(patch(lab, HOST, fix_of(fixed), conffiles="replace")) == ("installed", "conffiles_replaced", True)
    assert lab.exec(HOST, ["cat", path, f"{path}.rpmsave"]).stdout == "protocols=safe\nprotocols=mine\n"
    assert told(patch(lab, HOST, fix_of(fixed), conffiles="replace")) == ("already", "already_fixed", False)


def test_kernels_lie_side_by_side_and_other_packages_do_not(lab, el9):
    kernel = {"headers": ["Provides: installonlypkg(kernel)"]}
    old, fixed = Rpm("kernel-core", "5.14.0-427.el9", **kernel), Rpm("kernel-core", "5.14.0-503.el9", **kernel)
    el9.offer(old, fixed, Rpm("plain", "1-1"), Rpm("plain", "1-2"), repository="kernel")
    el9.install(old, repository="kernel")
    assert assess(lab, HOST, fix_of(fixed))["code"] == "below_fixed"
    assert told(patch(lab, HOST, fix_of(fixed))) == ("installed", "installed", True)
    assert versions(lab, "kernel-core") == ["5.14.0-427.el9.x86_64", "5.14.0-503.el9.x86_64"]
    found = assess(lab, HOST, fix_of(fixed))
    assert (found["code"], found["state"]) == (
        "reboot_due",
        "patched",
    )  # the machine's kernel is no package of the host
    for version in ("1-1", "1-2"):
        path = f"/srv/rpm/kernel/plain-{version}.x86_64.rpm"
        lab.exec(HOST, ["rpm", "-i", "--force", "--force-debian", path])
    assert assess(lab, HOST, remedy("plain", "el-9", "1-2"))["code"] == "broken_package"
    # and dnf, which would mend it on the way, is asked for nothing else meanwhile
    result = patch(lab, HOST, remedy("kernel-core", "el-9", "5.14.0-999.el9"))
    assert told(result) == ("refused", "broken_package", False)
    assert "plain 1-1 is installed beside a newer version of itself" in result["reason"]
    lab.exec(HOST, ["rpm", "-e", "--nodeps", "plain-1-1"])
    assert assess(lab, HOST, remedy("plain", "el-9", "1-2"))["code"] == "awaiting_proof"


def test_a_bad_fix_goes_back_with_what_came_with_it(lab, el9):
    tool, part = Rpm("tool", "1:1-1"), Rpm("tool-libs", "1-1")
    newest = newer(tool, "1:1-2", headers=["Requires: tool-libs >= 1-2"])
    el9.offer(tool, part, newest, newer(part, "1-2"), repository="tool")
    el9.install(tool, part, repository="tool")
    done = patch(lab, HOST, fix_of(newest))
    assert told(done) == ("installed", "installed", True)
    assert (versions(lab, "tool"), versions(lab, "tool-libs")) == (["1:1-2.x86_64"], ["1-2.x86_64"])
    assert done["rollback"]["possible"] is True
    back = rollback(lab, HOST, fix_of(newest))
    assert (back["state"], back["changed"]) == ("rolled_back", True), back["reason"]
    assert (versions(lab, "tool"), versions(lab, "tool-libs")) == (["1:1-1.x86_64"], ["1-1.x86_64"])
