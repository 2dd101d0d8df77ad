import os
import shutil
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode


@pytest.fixture
def dpkg(target, monkeypatch):
    """A dpkg database of its own, in which one package owns the tool."""
    if not shutil.which("dpkg-statoverride"):
        pytest.skip("this machine has no dpkg")
    admin = target.root.parent / "dpkg"
    (admin / "info").mkdir(parents=True)
    (admin / "updates").mkdir()
    (admin / "status").write_text(
        "Package: tools\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
        "Maintainer: x <x@example.org>\nDescription: x\n\n"
    )
    (admin / "info/tools.list").write_text(target.path("tool") + "\n")
    (admin / "info/format").write_text("1\n")
    monkeypatch.setattr(file_mode, "ADMINDIR", str(admin))
    Path(target.path("tool")).write_text("x")
    os.chmod(target.path("tool"), 0o4755)
    return admin / "statoverride"


def overrides(path):
    return path.read_text() if path.exists() else ""


def test_file_mode_is_registered_with_dpkg_and_taken_off_again(target, dpkg):
    wanted, before = remedy("CVE-1", target.mode("tool", "0755")), target.tree()
    target.present(wanted)
    assert overrides(dpkg) == f"root root 755 {target.path('tool')}\n"
    assert not target.present(wanted)[0]["changed"]
    target.absent(wanted)
    assert overrides(dpkg) == ""
    assert target.tree() == before


def test_file_mode_restores_an_override_that_was_there(target, dpkg):
    dpkg.write_text(f"root daemon 4754 {target.path('tool')}\n")
    target.present(remedy("CVE-1", target.mode("tool", "0755")))
    assert overrides(dpkg) == f"root root 755 {target.path('tool')}\n"
    target.absent(remedy("CVE-1"))
    assert overrides(dpkg) == f"root daemon 4754 {target.path('tool')}\n"


def test_file_mode_of_what_no_package_owns_is_only_set(target, dpkg):
    Path(target.path("own")).write_text("x")
    target.present(remedy("CVE-1", target.mode("own")))
    assert overrides(dpkg) == ""


def test_file_mode_of_what_stands_in_a_diverted_files_place_is_only_set(target, dpkg):
    """An override would give the package's file, which lies elsewhere, that mode at its next upgrade, and for good."""
    dpkg.with_name("diversions").write_text(f"{target.path('tool')}\n{target.path('tool.distrib')}\n:\n")
    target.present(remedy("CVE-1", target.mode("tool", "0755")))
    assert overrides(dpkg) == ""


def test_file_mode_reset_by_a_reinstallation_is_lost_and_set_again(target, dpkg):
    wanted = remedy("CVE-1", target.mode("tool", "0755"))
    target.present(wanted)
    os.chmod(target.path("tool"), 0o4755)
    assert target.present(wanted)[0]["changed"]
    assert os.stat(target.path("tool")).st_mode & 0o7777 == 0o755


def test_file_mode_of_a_link_is_that_of_its_target(target):
    Path(target.path("real")).write_text("x")
    Path(target.path("link")).symlink_to("real")
    actions = [file_mode.FileMode(target.mode(name)["params"]) for name in ("real", "link")]
    assert len({action.resource for action in actions}) == 1


def test_file_mode_gone_since_needs_force_and_nothing_else(target):
    Path(target.path("tool")).write_text("x")
    target.present(remedy("CVE-1", target.mode("tool")))
    os.chmod(target.path("tool"), 0o640)
    os.unlink(target.path("tool"))
    assert target.absent(remedy("CVE-1"))[0]["state"] == "refused"
    assert target.absent(remedy("CVE-1"), force=True)[0]["state"] == "lifted"


def test_file_mode_of_an_unknown_user_changes_nothing(target):
    Path(target.path("tool")).write_text("x")
    told = target.present(remedy("CVE-1", target.mode("tool", owner="nobody-such")))[0]
    assert "no user or group nobody-such" in told["reason"]
    assert not target.entries()


def test_file_mode_goes_back_on_the_file_it_was_set_on_wherever_the_link_leads_by_now(target):
    for name in ("old", "new"):
        Path(target.path(name)).write_text(name)
        os.chmod(target.path(name), 0o755)
    Path(target.path("link")).symlink_to("old")
    before = target.tree()
    target.present(remedy("CVE-1", target.mode("link", "0700")))
    Path(target.path("link")).unlink()
    Path(target.path("link")).symlink_to("new")
    assert target.absent(remedy("CVE-1"))[0]["state"] == "lifted"
    assert target.tree() == dict(before, link=("link", "new"))


def their_link(path, to):
    """As who owns the folder, and is not root, makes it."""
    Path(path).symlink_to(to)
    os.chown(path, 1, 1, follow_symlinks=False)


@pytest.mark.parametrize("at", ["app/key", "app"])
def test_file_mode_is_not_put_back_on_what_a_users_link_leads_to(target, at):
    """Else the user of the folder would have root's own file in the end."""
    for name in ("app", "roots"):
        Path(target.path(name)).mkdir()
        Path(target.path(f"{name}/key")).write_text(name)
        os.chmod(target.path(f"{name}/key"), 0o600)
    os.chown(target.path("app/key"), 1, 1)
    wanted = remedy("CVE-1", target.mode("app/key", "0600", owner="0", group="0"))
    assert target.present(wanted)[0]["state"] == "applied"
    os.rename(target.path(at), target.path("moved"))
    their_link(target.path(at), target.path(at.replace("app", "roots")))
    before = target.tree()
    told = target.absent(wanted)[0]
    assert (told["state"], target.tree()) == ("failed", before)
    assert f"{target.path('app/key')} leads to {target.path('roots/key')} now" in told["reason"]
    os.unlink(target.path(at))
    os.rename(target.path("moved"), target.path(at))
    assert target.absent(wanted)[0]["state"] == "lifted"
    assert os.stat(target.path("app/key")).st_uid == 1


def test_file_mode_goes_back_where_root_has_moved_the_folder(target):
    """As /bin becomes a link to /usr/bin."""
    Path(target.path("bin")).mkdir()
    Path(target.path("bin/tool")).write_text("x")
    os.chmod(target.path("bin/tool"), 0o4755)
    wanted = remedy("CVE-1", target.mode("bin/tool", "0755"))
    target.present(wanted)
    os.rename(target.path("bin"), target.path("moved"))
    Path(target.path("bin")).symlink_to("moved")
    assert target.absent(wanted)[0]["state"] == "lifted"
    assert os.stat(target.path("moved/tool")).st_mode & 0o7777 == 0o4755


def test_file_mode_of_what_is_replaced_this_very_moment_is_left_alone(target, monkeypatch):
    for name in ("tool", "roots"):
        Path(target.path(name)).write_text(name)
        os.chmod(target.path(name), 0o755)
    lstat, path = os.lstat, target.path("tool")

    def swapped(asked, **options):
        info = lstat(asked, **options)
        if asked == path:
            monkeypatch.setattr(os, "lstat", lstat)
            os.unlink(path)
            their_link(path, target.path("roots"))
        return info

    action = file_mode.FileMode(target.mode("tool", "0700")["params"])
    monkeypatch.setattr(os, "lstat", swapped)
    with pytest.raises(file_mode.ActionError, match="replaced just now"):
        action.apply({"uid": 0, "gid": 0})
    assert os.stat(target.path("roots")).st_mode & 0o777 == 0o755
