"""Options in fstab by cases, and live ones by a mount that writes down what it is told."""

import os
from pathlib import Path

import pytest
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
