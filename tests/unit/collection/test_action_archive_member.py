"""A class out of archives on a pretend host: saved, taken out, told, and put back exactly."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy
from tests.unit.collection.zips import DEFLATED, MEMBER, STORED, archive, names

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import archive_member
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.archive_member import ArchiveMember
from ansible_collections.stopgap.remediation.plugins.module_utils.facts import in_effect
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import Holds

OLD = 1_600_000_000_123_456_789
JAR = archive((MEMBER, b"class", DEFLATED), ("other", b"other", DEFLATED))
NEW = archive(("other", b"newer", DEFLATED))
WAR = archive(("lib/log4j.jar", JAR, STORED), ("index.html", b"hi", DEFLATED))


@pytest.fixture
def host(target):
    for name, data in (("app/a.jar", JAR), ("app/webapps/shop.war", WAR), ("app/clean.jar", NEW), ("share/s.jar", JAR)):
        path = Path(target.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o640)
        os.utime(path, ns=(OLD, OLD))
    return target


def out_of(host, *paths):
    params = {"paths": [host.path(path) for path in paths], "member": MEMBER, "archives": None}
    return {"type": "archive_member", "params": params}


def read(host, name):
    return Path(host.path(name)).read_bytes()


def effect(host):
    """Of the only mitigation in force, as assess asks."""
    return in_effect(host.in_force()[0]["actions"], Holds(host.journal(), host.entries()))


def put(host, name, data):
    Path(host.path(name)).write_bytes(data)


def test_taken_out_and_put_back(host):
    before, app = host.tree(), remedy("CVE-1", out_of(host, "app"))
    predicted = host.present(app, check=True)[0]
    assert (predicted["state"], host.tree()) == ("would_apply", before)
    done = host.present(app)[0]
    assert (done["state"], done["reason"]) == ("applied", "in force")
    assert done["actions"] == [dict(predicted["actions"][0])]
    assert (names(read(host, "app/a.jar")), names(read(host, "app/webapps/shop.war"))) == (
        ["other"], ["lib/log4j.jar", "index.html"],
    )  # fmt: skip
    assert os.stat(host.path("app/a.jar")).st_mode & 0o777 == 0o640
    assert host.tree()["share/s.jar"] == before["share/s.jar"]
    assert not host.present(app)[0]["changed"]
    assert host.absent(app)[0]["state"] == "lifted"
    assert host.tree() == before


def test_an_archive_that_comes_later_with_the_member_is_mitigation_lost(host):
    app = remedy("CVE-1", out_of(host, "app"))
    before = host.tree()
    host.present(app)
    assert effect(host) == (True, "")
    put(host, "app/later.jar", JAR)
    holds, reason = effect(host)
    assert (holds, "later.jar" in reason) == (False, True)
    done = host.present(app)[0]
    assert (done["state"], done["changed"], names(read(host, "app/later.jar"))) == ("applied", True, ["other"])
    assert host.absent(app)[0]["state"] == "lifted"
    assert read(host, "app/later.jar") == JAR
    os.unlink(host.path("app/later.jar"))
    assert host.tree() == before


@pytest.mark.parametrize("force", [False, True])
def test_an_archive_that_was_replaced_since_stays(host, force):
    app = remedy("CVE-1", out_of(host, "app"))
    host.present(app)
    put(host, "app/a.jar", NEW)
    os.unlink(host.path("app/webapps/shop.war"))
    done = host.absent(app, force=force)[0]
    assert done["state"] == "lifted"
    both = ", ".join(host.path(name) for name in ("app/a.jar", "app/webapps/shop.war"))
    assert done["reason"] == f"lifted; replaced since, and left as it is: {both}"
    assert read(host, "app/a.jar") == NEW
    assert not Path(host.path("app/webapps/shop.war")).exists()


def test_a_new_release_that_has_it_again_is_what_lifting_goes_back_to(host):
    app = remedy("CVE-1", out_of(host, "app"))
    host.present(app)
    release = archive((MEMBER, b"class 2", DEFLATED), ("other", b"2", DEFLATED))
    put(host, "app/a.jar", release)
    assert host.present(app)[0]["changed"]
    assert host.absent(app)[0]["reason"] == "lifted"
    assert read(host, "app/a.jar") == release
    assert read(host, "app/webapps/shop.war") == WAR


@pytest.mark.parametrize("lifted", [("CVE-1", "CVE-2"), ("CVE-2", "CVE-1")], ids=str)
@pytest.mark.parametrize(
    "paths", [(["app"], ["app"]), (["app"], ["app", "share"]), (["app", "share"], ["app"])], ids=str
)
def test_p07_two_remedies_whose_paths_overlap(host, paths, lifted):
    before = host.tree()
    both = {name: remedy(name, out_of(host, *below)) for name, below in zip(("CVE-1", "CVE-2"), paths, strict=True)}
    for one in both.values():
        assert host.present(one)[0]["state"] == "applied"
    host.absent(both[lifted[0]])
    assert names(read(host, "app/a.jar")) == ["other"]
    assert effect(host) == (True, "")
    host.absent(both[lifted[1]])
    assert host.tree() == before


def test_p04_one_that_cannot_be_read_changes_nothing(host):
    put(host, "app/half.jar", JAR[:50])
    before = host.tree()
    for check in (True, False):
        told = host.present(remedy("CVE-1", out_of(host, "app")), check=check)[0]
        assert (told["state"], told["changed"]) == ("failed", False)
        assert "half.jar (no archive that can be read" in told["reason"]
        assert "narrower `paths`" in told["reason"]
    assert host.tree() == before


def test_nothing_there_is_in_force_and_watches(host):
    nowhere = remedy("CVE-1", out_of(host, "later"))
    assert host.present(nowhere)[0]["reason"] == "in force"
    os.mkdir(host.path("later"))
    put(host, "later/a.jar", JAR)
    assert effect(host)[0] is False


def test_who_still_has_it_open_is_told(host):
    with open(host.path("app/a.jar"), "rb"):
        told = host.present(remedy("CVE-1", out_of(host, "app")))[0]
    assert "still open in its old form, so restart: " in told["reason"]
    assert f"(pid {os.getpid()}): {host.path('app/a.jar')}" in told["reason"]


def test_signatures_and_links_out_of_the_paths_are_told(host):
    put(host, "app/signed.jar", archive(("META-INF/X.SF", b"", STORED), (MEMBER, b"", STORED)))
    os.symlink("../share/s.jar", host.path("app/link.jar"))
    before = host.tree()["share/s.jar"]
    told = host.present(remedy("CVE-1", out_of(host, "app")))[0]
    assert f"signature is broken now: {host.path('app/signed.jar')}" in told["reason"]
    assert f"{host.path('app/link.jar')} (to {host.path('share/s.jar')})" in told["reason"]
    assert host.tree()["share/s.jar"] == before


def test_one_that_came_after_it_was_looked_is_not_changed_unsaved(host):
    action = ArchiveMember(out_of(host, "app")["params"])
    prior = {}
    with pytest.raises(archive_member.ActionError, match="run this again"):
        action.apply(prior)
    assert read(host, "app/a.jar") == JAR


def test_relative_paths_are_refused():
    with pytest.raises(archive_member.ActionError, match="absolute"):
        ArchiveMember({"paths": ["srv"], "member": MEMBER})


def test_an_archive_that_becomes_another_file_while_it_is_saved_is_not_touched(host, monkeypatch):
    """Its folder may be a user's: what root keeps and puts back must be what was looked at."""
    before, planned = host.tree(), ArchiveMember._planned

    def swapped(action, path):
        found = planned(action, path)
        os.unlink(path)
        os.symlink(host.path("secret"), path)
        return found

    put(host, "secret", b"root's own")
    monkeypatch.setattr(ArchiveMember, "_planned", swapped)
    told = host.present(remedy("CVE-1", out_of(host, "share")))[0]
    assert "share/s.jar was changed while it was saved" in told["reason"]
    assert not host.in_force()
    del before["share/s.jar"]
    assert before.items() <= host.tree().items()


def test_p09_a_pipe_in_an_archives_place_is_not_waited_for(host, monkeypatch, in_time):
    """It comes between the look at it and the opening."""
    path, real = host.path("share/s.jar"), durable.copy

    def swapped(source, *args, **options):
        os.unlink(source)
        os.mkfifo(source)
        return real(source, *args, **options)

    monkeypatch.setattr(durable, "copy", swapped)
    told = host.present(remedy("CVE-1", out_of(host, "share")))[0]
    os.unlink(path)
    assert f"{path} was changed while it was saved" in told["reason"]


def lead_elsewhere(host):
    """What the owner of the folder above can do at any moment."""
    os.rename(host.path("share"), host.path("moved"))
    os.symlink("theirs", host.path("share"))


@pytest.fixture
def theirs(host):
    """A folder that is not the user's, with the same archive in it."""
    os.mkdir(host.path("theirs"))
    put(host, "theirs/s.jar", JAR)
    return lambda: {name: facts for name, facts in host.tree().items() if name.startswith("theirs/")}


def test_a_folder_that_becomes_a_link_before_the_write_is_not_followed(host, theirs, monkeypatch):
    before, replacing = theirs(), durable.replacing

    def swapped(path, *args, **options):
        if path == host.path("share/s.jar"):
            lead_elsewhere(host)
        return replacing(path, *args, **options)

    monkeypatch.setattr(durable, "replacing", swapped)
    told = host.present(remedy("CVE-1", out_of(host, "share")))[0]
    assert f"{host.path('share')} leads to {host.path('theirs')} now: nothing was changed there" in told["reason"]
    assert (theirs(), read(host, "moved/s.jar")) == (before, JAR)


def test_a_folder_that_becomes_a_link_before_it_is_put_back_is_not_followed(host, theirs, monkeypatch):
    wanted, restore = remedy("CVE-1", out_of(host, "share")), durable.restore
    host.present(wanted)
    put(host, "theirs/s.jar", read(host, "share/s.jar"))
    before = theirs()

    def swapped(path, *args, **options):
        lead_elsewhere(host)
        return restore(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "restore", swapped)
        assert "leads to" in host.absent(wanted)[0]["reason"]
    assert theirs() == before
    assert host.absent(wanted)[0]["reason"] == f"lifted; replaced since, and left as it is: {host.path('share/s.jar')}"
    assert theirs() == before


def test_what_was_read_from_elsewhere_never_gets_the_users_name(host, theirs, monkeypatch):
    """While it is read the folder leads elsewhere, and back again before anybody looks."""
    put(host, "theirs/s.jar", archive((MEMBER, b"class", DEFLATED), ("secret", b"root's own", DEFLATED)))
    wanted, write, dressed = remedy("CVE-1", out_of(host, "share")), ArchiveMember._write_stripped, []

    def elsewhere(action, path, target):
        return write(action, path.replace("/share/", "/theirs/") if hasattr(target, "fileno") else path, target)

    monkeypatch.setattr(ArchiveMember, "_write_stripped", elsewhere)
    monkeypatch.setattr(durable, "dress", lambda handle, state: dressed.append(state))
    action = ArchiveMember(wanted["mitigations"][0]["actions"][0]["params"])
    path = host.path("share/s.jar")
    with pytest.raises(archive_member.ActionError, match="changed just now"):
        action._strip(path, dict(durable.snapshot(path), planned=action._planned(path)))
    assert (dressed, read(host, "share/s.jar")) == ([], JAR)
