"""A file absent, immutable, validated before it counts; and what others may hold beside it."""

import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest
from tests.unit.collection.target import killed_at, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import durable

OLD = 1_600_000_000_123_456_789
NO = ["sh", "-c", 'echo "$0: line 1: no such option" >&2; exit 1', "%s"]


@pytest.fixture
def old(target):
    path = Path(target.path("old.conf"))
    path.write_text("secret\n")
    path.chmod(0o640)
    os.chown(path, 1, 2)
    os.utime(path, ns=(OLD, OLD))
    return path


@pytest.fixture
def lockable(target):
    """A folder on a file system where files can be made immutable, unlocked again at the end."""
    if durable.attributes(str(target.root)) is None:
        pytest.skip("this file system has no immutable attribute")
    yield target
    for path in target.root.rglob("*"):
        if durable.is_immutable(str(path)):
            durable.set_immutable(str(path), False)


def absent(target, name):
    return {"type": "file", "params": {"path": target.path(name), "absent": True}}


def locked(target, name, **params):
    return {"type": "file", "params": {"path": target.path(name), "immutable": True, **params}}


def test_file_absent_is_put_back_identical(target, old):
    before, wanted = target.tree(), remedy("CVE-1", absent(target, "old.conf"))
    assert target.present(wanted, check=True)[0]["changed"]
    assert target.present(wanted)[0]["state"] == "applied"
    assert not old.exists()
    assert not target.present(wanted)[0]["changed"]
    target.absent(wanted)
    assert target.tree() == before


def test_file_absent_that_is_not_there_changes_nothing(target):
    assert not target.present(remedy("CVE-1", absent(target, "none/x.conf")))[0]["changed"]
    assert not Path(target.path("none")).exists()


def test_file_absent_that_came_back_refuses_to_be_lifted(target, old):
    wanted = remedy("CVE-1", absent(target, "old.conf"))
    target.present(wanted)
    old.write_text("theirs\n")
    told = target.absent(wanted)[0]
    assert (told["state"], old.read_text()) == ("refused", "theirs\n")
    assert "sha256 is " in told["reason"]


def test_file_keeps_the_mode_it_had(target, old):
    target.present(remedy("CVE-1", target.file("old.conf")))
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    target.present(remedy("CVE-2", target.file("new.conf")))
    assert stat.S_IMODE(Path(target.path("new.conf")).stat().st_mode) == 0o644


@pytest.mark.parametrize("wanted", ["absent", "content"])
def test_file_immutable_is_in_nobodys_way_but_ours(lockable, old, wanted):
    before = lockable.tree()
    lock = remedy("CVE-1", locked(lockable, "old.conf"))
    other = remedy("CVE-2", absent(lockable, "old.conf") if wanted == "absent" else lockable.file("old.conf"))
    assert lockable.present(lock)[0]["state"] == "applied"
    with pytest.raises(PermissionError):
        old.write_text("x")
    assert lockable.present(other)[0]["state"] == "applied"
    assert durable.is_immutable(str(old)) == (wanted == "content")
    lockable.absent(other)
    assert durable.is_immutable(str(old))
    lockable.absent(lock)
    assert lockable.tree() == before
    assert not durable.is_immutable(str(old))


def test_file_immutable_with_content_is_lifted_in_any_order(lockable, old):
    before = lockable.tree()
    both = [remedy("CVE-1", locked(lockable, "old.conf", content="ours\n")), remedy("CVE-2", lockable.file("old.conf"))]
    for order in (both, both[::-1]):
        for one in both:
            assert lockable.present(one)[0]["state"] == "applied"
        for one in order:
            assert lockable.absent(one)[0]["state"] == "lifted"
        assert lockable.tree() == before
        assert not durable.is_immutable(str(old))


def test_file_that_was_immutable_before_is_so_again(lockable, old):
    durable.set_immutable(str(old), True)
    lockable.present(remedy("CVE-1", lockable.file("old.conf")))
    assert durable.is_immutable(str(old))
    lockable.absent(remedy("CVE-1"))
    assert (durable.is_immutable(str(old)), old.read_text()) == (True, "secret\n")


def test_file_immutable_where_the_file_system_cannot(target, old, monkeypatch):
    monkeypatch.setattr(durable, "attributes", lambda path: None)
    told = target.present(remedy("CVE-1", locked(target, "old.conf")))[0]
    assert (told["state"], told["changed"]) == ("failed", False)
    assert "its file system has no immutable attribute; nothing was changed" in told["reason"]


@pytest.mark.parametrize("change", [lambda path: path.chmod(0o604), lambda path: os.chown(path, 3, 4)])
def test_file_whose_mode_or_owner_somebody_changed_is_put_right_again(target, old, change):
    wanted = remedy("CVE-1", target.file("old.conf"))
    target.present(wanted)
    change(old)
    assert target.present(wanted)[0]["state"] == "applied"
    info = old.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o640, 1, 2)


def test_file_immutable_needs_a_file(target):
    assert "give its `content` too" in target.present(remedy("CVE-1", locked(target, "none")))[0]["reason"]


def test_file_whose_draft_is_refused_never_takes_its_place(target, old):
    inode = old.stat().st_ino
    told = target.present(remedy("CVE-1", target.file("old.conf", validate=NO)))[0]
    assert told["state"] == "failed"
    assert ".old.conf.stopgap: line 1: no such option" in told["reason"]
    assert (old.stat().st_ino, old.stat().st_mtime_ns, os.listdir(target.root)) == (inode, OLD, ["old.conf"])


def test_file_and_what_does_not_go_beside_it(target, old):
    line = {"type": "line", "params": {"path": str(old), "line": "x"}}
    for first, second in [
        (target.file("old.conf"), line),
        (line, target.file("old.conf")),
        (target.file("old.conf"), target.mode("old.conf")),
        (line, absent(target, "old.conf")),
    ]:
        target.present(remedy("CVE-1", first))
        before = target.tree()
        told = target.present(remedy("CVE-2", second))[0]
        assert (told["state"], told["changed"]) == ("failed", False)
        assert "held by m of CVE-1 (entry " in told["reason"]
        assert ", and this decides " in told["reason"]
        assert "decides decides" not in told["reason"]
        assert "lift that one first" in told["reason"]
        assert target.tree() == before
        target.absent(remedy("CVE-1"))
        assert "write both as one action" in target.present(remedy("CVE-3", first, second))[0]["reason"]
    assert not target.in_force()


def test_file_shows_no_contents_that_not_everybody_may_read(target, old):
    for params in ({"content": "password\n"}, {"content": "password\n", "mode": "0644"}):
        action = {"type": "file", "params": {"path": str(old), **params}}
        diff = target.run("present", remedy("CVE-1", action), check=True)[1][0]
        assert all("contents not shown: mode 0640, sha256 " in diff[side] for side in ("before", "after"))
    old.chmod(0o644)
    diff = target.run("present", remedy("CVE-1", target.file("old.conf", mode="0600")), check=True)[1][0]
    assert "secret" not in diff["before"]
    assert "ours" not in diff["after"]
    diff = target.run("present", remedy("CVE-1", target.file("old.conf")), check=True)[1][0]
    assert (diff["before"], diff["after"]) == ("secret\n", "ours\n")


def test_file_that_is_long_is_cut(target):
    diff = target.run("present", remedy("CVE-1", target.file("x", "y" * 30000)), check=True)[1][0]
    assert diff["after"].endswith("… 10000 more characters\n")


@pytest.mark.parametrize("crash_in", ["present", "absent"])
@pytest.mark.parametrize("kind", ["absent", "locked", "locked content"])
def test_file_killed_at_any_moment_is_finished_or_undone(lockable, old, crash_in, kind):
    before, action = lockable.tree(), locked(lockable, "old.conf")
    if kind == "absent":
        action = absent(lockable, "old.conf")
    if kind == "locked content":
        action = locked(lockable, "old.conf", content="ours\n")
    for moment in itertools.count(1):
        if crash_in == "absent":
            lockable.present(remedy("CVE-1", action))
        killed = killed_at(moment, lambda: lockable.run(crash_in, remedy("CVE-1", action)))
        if moment % 2:
            assert lockable.present(remedy("CVE-1", action))[0]["state"] == "applied"
            assert durable.is_immutable(str(old)) == (kind != "absent")
        assert lockable.absent(remedy("CVE-1", action))[0]["state"] in ("lifted", "none")
        assert lockable.tree() == before, moment
        assert not durable.is_immutable(str(old))
        if lockable.base.exists():
            shutil.rmtree(lockable.base)
        if not killed:
            break
    assert moment > 10


@pytest.mark.parametrize("kind", ["file", "absent", "line"])
def test_what_lies_below_a_closed_folder_is_not_for_everybody_either(target, kind):
    """/root is closed, and what somebody writes there is 0644."""
    folder = Path(target.path("root"))
    folder.mkdir()
    (folder / "cred.ini").write_text("user = x\npassword = hunter2\n")
    asked = {"path": str(folder / "cred.ini")}
    action = {
        "file": {"type": "file", "params": {**asked, "content": "password = tr0ub4dor\n"}},
        "absent": {"type": "file", "params": {**asked, "absent": True}},
        "line": {"type": "line", "params": {**asked, "match": "^password", "line": "password = tr0ub4dor"}},
    }[kind]
    for mode, told in ((0o755, True), (0o700, False), (0o711, True)):
        folder.chmod(mode)
        for check in (True, False):
            results, diffs = target.run("present", remedy("CVE-1", action), check=check)
            assert results[0]["changed"]
            assert ("hunter2" in str((results, diffs))) == told
        results, diffs = target.run("absent", remedy("CVE-1"))
        assert ("hunter2" in str((results, diffs))) == told


def test_a_folder_of_ours_that_somebody_moved_and_linked_is_theirs_and_keeps_nobody_from_lifting(target):
    target.present(remedy("CVE-1", target.file("made/x.conf")))
    os.rename(target.path("made"), target.path("moved"))
    os.symlink("moved", target.path("made"))
    told = target.absent(remedy("CVE-1"))[0]
    assert told["state"] == "lifted", told["reason"]
    assert os.listdir(target.path("moved")) == []
    assert os.readlink(target.path("made")) == "moved"


def test_a_file_where_a_folder_is_meant_is_a_failure_that_leaves_nothing_in_force(target, old):
    before = target.tree()
    told = target.present(remedy("CVE-1", target.file("old.conf/x.conf")))[0]
    assert (told["state"], target.in_force()) == ("failed", []), told["reason"]
    assert "old.conf" in told["reason"]
    assert target.tree() == before
