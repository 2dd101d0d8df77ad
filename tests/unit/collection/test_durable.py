"""Whoever owns a folder above may put a link in its place at any moment: what is written stays in the folder held."""

import os
import shutil
import stat
import struct
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.line import Line
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

STATE = {"mode": "0640"}


@pytest.fixture
def lib(tmp_path):
    for name in ("lib", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.conf").write_text("before\n")
    return tmp_path / "lib"


def lead_elsewhere(lib):
    lib.rename(lib.parent / "moved")
    lib.symlink_to("theirs")


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_swap_between_the_look_and_the_open_is_refused(lib, monkeypatch):
    real = os.open

    def swapped(path, *args, **options):
        if path == str(lib):
            lead_elsewhere(lib)
            monkeypatch.setattr(os, "open", real)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(ActionError, match=f"{lib} leads to {lib.parent / 'theirs'} now: nothing was changed there"):
        durable.write(str(lib / "a.conf"), b"ours\n", STATE)
    assert contents(lib.parent / "moved") == contents(lib.parent / "theirs") == {"a.conf": "before\n"}


def test_a_swap_while_the_draft_is_written_does_not_lead_it_elsewhere(lib):
    with durable.replacing(str(lib / "a.conf"), STATE) as stream:
        lead_elsewhere(lib)
        stream.write(b"ours\n")
    assert contents(lib.parent / "theirs") == {"a.conf": "before\n"}
    assert contents(lib.parent / "moved") == {"a.conf": "ours\n"}


def test_a_swap_and_an_error_leave_no_draft_and_take_nothing_elsewhere(lib):
    (lib.parent / "theirs/.a.conf.stopgap").write_text("theirs\n")

    def refuse(draft):
        lead_elsewhere(lib)
        raise ActionError("not so")

    with pytest.raises(ActionError, match="not so"):
        durable.write(str(lib / "a.conf"), b"ours\n", STATE, refuse)
    assert contents(lib.parent / "moved") == {"a.conf": "before\n"}
    assert contents(lib.parent / "theirs") == {"a.conf": "before\n", ".a.conf.stopgap": "theirs\n"}


@pytest.mark.parametrize(
    "act",
    [
        lambda path, folder: durable.write(path, b"ours\n", STATE, folder=folder),
        lambda path, folder: durable.restore(path, dict(STATE, kind="file"), __file__, folder),
        lambda path, folder: durable.restore(path, {"kind": "link", "target": "x", "uid": 0, "gid": 0}, None, folder),
        lambda path, folder: durable.restore(path, durable.absent(), None, folder),
        durable.discard,
    ],
    ids=["write", "file", "link", "absent", "discard"],
)
def test_another_folder_than_the_one_looked_at_is_refused(lib, act):
    lead_elsewhere(lib)
    with pytest.raises(ActionError, match="leads to"):
        act(str(lib / "a.conf"), str(lib))
    assert contents(lib.parent / "theirs") == {"a.conf": "before\n"}


def test_a_link_that_was_there_all_along_is_followed(lib):
    lead_elsewhere(lib)
    durable.write(str(lib / "a.conf"), b"ours\n", STATE)
    assert contents(lib.parent / "theirs") == {"a.conf": "ours\n"}


def test_an_error_names_the_whole_path(lib):
    (lib / "a.conf").unlink()
    (lib / "a.conf").mkdir()
    with pytest.raises(IsADirectoryError) as error:
        durable.discard(str(lib / "a.conf"))
    assert Path(error.value.filename) == lib / "a.conf"


def test_an_error_of_the_check_keeps_its_words(lib):
    def missing(draft):
        raise FileNotFoundError(2, "No such file", "visudo")

    with pytest.raises(FileNotFoundError) as error:
        durable.write(str(lib / "a.conf"), b"ours\n", STATE, missing)
    assert error.value.filename == "visudo"


def test_nothing_to_discard_where_there_is_no_folder(lib):
    durable.discard(str(lib / "none/a.conf"))
    durable.discard(str(lib / "a.conf/b.conf"))
    assert contents(lib) == {"a.conf": "before\n"}


def test_a_state_is_of_one_file_whatever_takes_its_place(lib, monkeypatch):
    """Else its owner would be given root's own content when it is put back, or root's setuid bit with his."""
    path, real = lib / "a.conf", durable.hash_file
    (lib / "roots").write_text("root's own\n")

    def swapped(asked):
        path.unlink()
        path.symlink_to("roots")
        return real(asked)

    monkeypatch.setattr(durable, "hash_file", swapped)
    assert durable.snapshot(str(path))["sha256"] == durable.hash_of(b"before\n")


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_edit_gives_nobody_the_mode_of_a_file_that_it_did_not_read(target, state, monkeypatch):
    """A setuid bit of root's, say."""
    path, roots = Path(target.path("a.conf")), Path(target.path("roots"))
    path.write_text("a\nb\n")
    roots.write_text("x")
    roots.chmod(0o4755)
    wanted = remedy("CVE-1", {"type": "line", "params": {"path": str(path), "match": "^b", "line": "c"}})
    if state == "absent":
        target.present(wanted)
    step = "_write" if state == "present" else "_restore"
    monkeypatch.setattr(Line, step, swapped_before(getattr(Line, step), path, roots))
    told = target.run(state, wanted)[0][0]
    assert told["state"] == "failed", told
    assert "by somebody else: run this again" in told["reason"]
    assert path.is_symlink()
    assert stat.S_IMODE(roots.stat().st_mode) == 0o4755


def swapped_before(act, path, roots):
    def swapped(action, *args):
        path.unlink()
        path.symlink_to(roots)
        return act(action, *args)

    return swapped


@pytest.mark.parametrize("kind", ["file", "absent", "line"])
def test_a_users_link_leads_nobody_to_roots_folders(target, kind):
    """A file that was taken away comes back where it was, and not as one of root's drop-ins."""
    for name in ("app", "ld.so.conf.d"):
        Path(target.path(name)).mkdir()
    path = Path(target.path("app/a.conf"))
    path.write_text("/home/user/lib\n")
    os.chown(path, 1, 1)
    action = {
        "file": target.file("app/a.conf"),
        "absent": {"type": "file", "params": {"path": str(path), "absent": True}},
        "line": {"type": "line", "params": {"path": str(path), "match": "^/home", "line": "#"}},
    }[kind]
    wanted, before = remedy("CVE-1", action), target.tree()
    assert target.present(wanted)[0]["state"] == "applied"
    if path.exists():
        shutil.copy2(path, target.path("ld.so.conf.d"))
        os.chown(target.path("ld.so.conf.d/a.conf"), 1, 1)
    lead = target.path("app")
    os.rename(lead, target.path("moved"))
    os.symlink("ld.so.conf.d", lead)
    os.chown(lead, 1, 1, follow_symlinks=False)
    swapped = target.tree()
    told = target.absent(wanted)[0]
    assert (told["state"], target.tree()) == ("failed", swapped)
    assert f"{lead} leads to {target.path('ld.so.conf.d')} now, by a link that is not root's" in told["reason"]
    os.unlink(lead)
    os.rename(target.path("moved"), lead)
    shutil.rmtree(target.path("ld.so.conf.d"))
    os.mkdir(target.path("ld.so.conf.d"))
    assert target.absent(wanted)[0]["state"] == "lifted"
    assert target.tree() == before


@pytest.mark.parametrize("way", ["behind root's link", "root's link moved"])
def test_a_link_is_roots_own_only_where_nobody_else_has_put_it_there(target, way):
    for name in ("user", "user/conf", "roots"):
        Path(target.path(name)).mkdir()
    for name in ("user", "user/conf"):
        os.chown(target.path(name), 1, 1)
    Path(target.path("user/conf/a.conf")).write_text("/home/user/lib\n")
    Path(target.path("app")).symlink_to("user/conf")
    Path(target.path("user/to-roots")).symlink_to("../roots")
    where = "app" if way == "behind root's link" else "user/conf"
    wanted = remedy("CVE-1", {"type": "file", "params": {"path": target.path(f"{where}/a.conf"), "absent": True}})
    assert target.present(wanted)[0]["state"] == "applied"
    os.rename(target.path("user/conf"), target.path("user/old"))
    os.rename(target.path("user/to-roots"), target.path("user/conf"))
    if way == "behind root's link":
        os.chown(target.path("user/conf"), 1, 1, follow_symlinks=False)
    told = target.absent(wanted)[0]
    assert (told["state"], os.listdir(target.path("roots"))) == ("failed", [])
    assert f"leads to {target.path('roots')} now, by a link that is not root's" in told["reason"]


def test_links_without_end_are_an_error(target):
    Path(target.path("a")).symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        durable.led_to(target.path("a/b"), "/")


def test_a_file_is_made_immutable_where_it_was_and_not_where_a_users_link_leads(target, monkeypatch):
    """When a mitigation that was lost is put in force again."""
    for name in ("app", "roots"):
        Path(target.path(name)).mkdir()
        Path(target.path(f"{name}/key")).write_text(name)
    made = File({"path": target.path("app/key"), "immutable": True})
    os.rename(target.path("app"), target.path("moved"))
    Path(target.path("app")).symlink_to("roots")
    os.chown(target.path("app"), 1, 1, follow_symlinks=False)
    monkeypatch.setattr(durable, "set_immutable", lambda path, wanted: pytest.fail(path))
    again = File({"path": target.path("app/key"), "immutable": True})
    again.known = made.known
    with pytest.raises(ActionError, match="a link that is not root's"):
        again.apply(again.read())


def acl(name, group):
    """As the kernel keeps it: one named user may read and write, as far as the mask lets them."""
    everybody = 0xFFFFFFFF
    entries = [(1, 6, everybody), (2, 6, 1234), (4, group, everybody), (16, 6, everybody), (32, 0, everybody)]
    return f"system.posix_acl_{name}", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)


@pytest.fixture
def secret(target):
    try:
        os.setxattr(target.root, *acl("access", 6))
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    os.removexattr(target.root, "system.posix_acl_access")
    (target.root / "secret.conf").write_text("a\nb\n")
    (target.root / "secret.conf").chmod(0o640)
    return target


def edit(target, kind):
    line = {"type": "line", "params": {"path": target.path("secret.conf"), "match": "^b", "line": "c"}}
    return target.file("secret.conf") if kind == "file" else line


@pytest.mark.parametrize("kind", ["file", "line"])
def test_what_a_folder_gives_to_new_files_is_not_given_to_one_that_is_replaced(secret, kind):
    os.setxattr(secret.root, *acl("default", 0))
    before, wanted = secret.tree(), remedy("CVE-1", edit(secret, kind))
    assert secret.present(wanted)[0]["state"] == "applied"
    assert os.listxattr(secret.path("secret.conf")) == []
    assert secret.absent(wanted)[0]["state"] == "lifted"
    assert secret.tree() == before


@pytest.mark.parametrize("kind", ["file", "line"])
def test_an_access_control_list_stays_with_its_file(secret, kind):
    name, value = acl("access", 0)
    os.setxattr(secret.path("secret.conf"), name, value)
    before, wanted = secret.tree(), remedy("CVE-1", edit(secret, kind))
    assert secret.present(wanted)[0]["state"] == "applied"
    assert os.getxattr(secret.path("secret.conf"), name) == value
    assert secret.absent(wanted)[0]["state"] == "lifted"
    assert secret.tree() == before


def test_a_mode_that_is_asked_for_bounds_the_access_control_list(secret):
    os.setxattr(secret.path("secret.conf"), *acl("access", 0))
    before, wanted = secret.tree(), remedy("CVE-1", secret.file("secret.conf", mode="0600"))
    assert secret.present(wanted)[0]["state"] == "applied"
    assert stat.S_IMODE(os.stat(secret.path("secret.conf")).st_mode) == 0o600
    assert secret.absent(wanted)[0]["state"] == "lifted"
    assert secret.tree() == before
