"""Options in fstab by cases, and live ones by a mount that writes down what it is told."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.own_mounts import only_root, played
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import mount_option
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import edit_mount, lines_of

FSTAB = """# /tmp tmpfs
tmpfs\t/tmp  tmpfs\tdefaults,exec  0 0
/dev/sda1 /srv/my\\040data ext4 rw 0 2
/dev/sda2 /short ext4
"""
OLD = 1_600_000_000_123_456_789


@pytest.fixture
def host(target, monkeypatch):
    fstab, mounts = Path(target.path("fstab")), target.root.parent / "mountinfo"
    fstab.write_text(FSTAB)
    os.utime(fstab, ns=(OLD, OLD))
    mounts.write_text("22 1 0:5 / /tmp rw,nosuid,relatime shared:1 - tmpfs tmp\\040fs rw,size=1k\n")
    calls = []

    def mount(argv):
        calls.append(argv)
        flags = [name for name in argv[2].split(",") if name not in ("remount", "exec", "suid", "dev")]
        mounts.write_text(f"22 1 0:5 / /tmp {','.join(flags)} shared:1 - tmpfs tmp\\040fs rw,size=1k\n")

    monkeypatch.setattr(mount_option, "FSTAB", str(fstab))
    monkeypatch.setattr(mount_option, "MOUNTINFO", str(mounts))
    monkeypatch.setattr(mount_option, "must", mount)
    target.fstab, target.calls = fstab, calls
    target.flags = lambda: mounts.read_text().split()[5]
    return target


def options(*names, path="/tmp"):
    return {"type": "mount_option", "params": {"path": path, "options": list(names)}}


@pytest.mark.parametrize(
    ("path", "names", "line"),
    [
        ("/tmp", ["noexec"], "tmpfs\t/tmp  tmpfs\tdefaults,noexec  0 0"),
        ("/tmp/", ["nodev", "nosuid"], "tmpfs\t/tmp  tmpfs\tdefaults,exec,nodev,nosuid  0 0"),
        ("/srv/my data", ["ro"], "/dev/sda1 /srv/my\\040data ext4 ro 0 2"),
        ("/short", ["nodev"], "/dev/sda2 /short ext4 defaults,nodev"),
    ],
)
def test_line_of_fstab(path, names, line):
    edited = edit_mount(lines_of(FSTAB.encode()), {"path": path, "options": names})
    assert line in edited
    assert edited == edit_mount(edited, {"path": path, "options": names})
    assert len([1 for old, new in zip(FSTAB.split("\n"), edited, strict=True) if old != new]) == 1


def test_mount_option_now_and_in_fstab_and_back(host):
    before = host.tree()
    assert host.present(remedy("CVE-1", options("noexec", "nosuid")), check=True)[0]["changed"]
    assert (host.tree(), host.calls) == (before, [])
    host.present(remedy("CVE-1", options("noexec", "nosuid")))
    assert host.calls == [["mount", "-o", "remount,rw,relatime,noexec,nosuid", "tmp fs", "/tmp"]]
    assert not host.present(remedy("CVE-1", options("noexec", "nosuid")))[0]["changed"]
    assert host.absent(remedy("CVE-1"))[0]["state"] == "lifted"
    assert host.calls[1:] == [["mount", "-o", "remount,rw,relatime,nosuid,exec", "tmp fs", "/tmp"]]
    assert host.tree() == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_mount_option_is_on_as_long_as_anybody_holds_it(host, order):
    before, both = host.tree(), [remedy("CVE-1", options("noexec")), remedy("CVE-2", options("nodev", "noexec"))]
    host.present(*both)
    assert host.absent(both[order[0]])[0]["state"] == "lifted"
    assert "noexec" in host.flags()
    assert host.absent(both[order[1]])[0]["state"] == "lifted"
    assert host.flags() == "rw,nosuid,relatime"
    assert host.tree() == before


def test_mount_option_taken_off_live_is_lost(host):
    wanted = remedy("CVE-1", options("noexec"))
    host.present(wanted)
    mount_option.must(["mount", "-o", "remount,rw,nosuid,relatime,exec"])
    assert host.present(wanted)[0]["changed"]
    assert "noexec" in host.flags()


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (options("noexec", path="/var"), "/var is not a mount point"),
        (options("hidepid"), "what takes hidepid back is not known"),
    ],
)
def test_mount_option_that_cannot_be(host, action, said):
    told = host.present(remedy("CVE-1", action))[0]
    assert (told["state"], told["changed"], host.calls) == ("failed", False, [])
    assert said in told["reason"]


def test_mount_option_without_a_line_in_fstab(host):
    host.fstab.write_text("")
    assert "has no line in" in host.present(remedy("CVE-1", options("noexec")))[0]["reason"]


def test_mount_option_of_a_file_system_that_is_gone_is_lifted_with_force_and_stays_gone(host):
    host.present(remedy("CVE-1", options("noexec")))
    Path(mount_option.MOUNTINFO).write_text("")
    host.fstab.write_text("# nothing\n")
    assert host.absent(remedy("CVE-1"))[0]["state"] == "refused"
    told = host.absent(remedy("CVE-1"), force=True)[0]
    assert told["state"] == "lifted", told["reason"]
    assert host.fstab.read_text() == "# nothing\n"


# One file system, seen whole in `data` and in part in `part`; the first argument mounts it read-only before or not.
TWICE = """
import json, subprocess, sys
from pathlib import Path
from tests.unit.collection.target import Target, remedy
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import mount_option

target = Target(Path(sys.argv[1]))
data, part, fstab = (Path(target.path(name)) for name in ("data", "part", "fstab"))
mount_option.FSTAB = str(fstab)
for place in (data, part):
    place.mkdir()
subprocess.check_call(["mount", "-t", "tmpfs", "none", data])
(data / "sub").mkdir()
subprocess.check_call(["mount", "--bind", data / "sub", part])
if sys.argv[4:]:  # of the file system, not of this mount of it
    subprocess.check_call(["mount", "-o", "remount,ro", "none", part])
    subprocess.check_call(["mount", "-o", "remount,bind,rw", "none", part])
fstab.write_text(f"none {data} tmpfs defaults 0 0\\n{data}/sub {part} none bind 0 0\\n")
asked = {"path": target.path(sys.argv[2]), "options": [sys.argv[3]]}
wanted = remedy("CVE-1", {"type": "mount_option", "params": asked})


def seen():
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(target.root) in line]
    return {Path(words[4]).name: [words[5], words[-1].split(",")[0]] for words in lines}


told = [seen(), target.present(wanted)[0]["state"], seen(), target.absent(wanted)[0]["state"], seen()]
print(json.dumps(told))
"""


@only_root
def test_read_only_for_a_part_leaves_the_file_system_beside_it_writable(tmp_path):
    before, applied, held, lifted, after = played(TWICE, tmp_path, "part", "ro")
    assert (applied, lifted) == ("applied", "lifted")
    assert held == {**before, "part": ["ro,relatime", "rw"]}
    assert after == before


@only_root
@pytest.mark.parametrize("place", ["data", "part"])
def test_a_file_system_that_is_read_only_stays_so(tmp_path, place):
    before, applied, held, lifted, after = played(TWICE, tmp_path, place, "noexec", "ro")
    assert (applied, lifted) == ("applied", "lifted")
    assert (before[place], held[place]) == (["rw,relatime", "ro"], ["rw,noexec,relatime", "ro"])
    assert after == before
