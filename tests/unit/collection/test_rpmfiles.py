"""Configuration files of rpm packages: whose side is in force, and how the package's is taken."""

import hashlib
from pathlib import Path

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import rpmfiles
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.conffiles import Conffile

OURS = b"the package's\n"


@pytest.fixture
def conffile(tmp_path, monkeypatch):
    """One configuration file as its package has it."""
    path = tmp_path / "x.conf"
    path.write_bytes(OURS)
    found = Conffile("x", str(path), hashlib.sha256(OURS).hexdigest())
    monkeypatch.setattr(rpmfiles, "of", lambda packages: [found] if packages else [])
    return found


def beside(conffile, ending):
    return Path(conffile.path + ending)


def test_ghosts_links_and_plain_files_are_no_configuration():
    line = "x\t/etc/x.conf\tabc\t{}\t{}"
    assert rpmfiles.read_line(line.format("cn", "0100644")) == Conffile("x", "/etc/x.conf", "abc")
    assert rpmfiles.read_line(line.format("cg", "0100644")) is None
    assert rpmfiles.read_line(line.format("d", "0100644")) is None
    assert rpmfiles.read_line(line.format("c", "0120777")) is None


def test_the_side_in_force_is_told_with_the_other_beside_it(conffile):
    assert rpmfiles.report([conffile]) == []
    Path(conffile.path).write_text("edited here\n")
    beside(conffile, ".rpmnew").write_bytes(OURS)
    assert rpmfiles.report([conffile]) == [{"path": conffile.path, "kept": "local", "other": conffile.path + ".rpmnew"}]
    assert rpmfiles.still_edited([conffile], ["other"]) == [conffile]


def test_the_packages_version_beside_it_is_put_in_force_and_the_local_one_stays(conffile):
    Path(conffile.path).write_text("edited here\n")
    beside(conffile, ".rpmnew").write_bytes(OURS)
    rpmfiles.take_new(["x"])
    assert Path(conffile.path).read_bytes() == OURS
    assert beside(conffile, ".rpmsave").read_text() == "edited here\n"
    assert not beside(conffile, ".rpmnew").exists()


def test_what_an_older_version_left_beside_it_is_not_put_in_force(conffile):
    Path(conffile.path).write_text("edited here\n")
    beside(conffile, ".rpmnew").write_text("the package's of last year\n")
    rpmfiles.take_new(["x"])
    assert Path(conffile.path).read_text() == "edited here\n"


def test_an_edited_file_steps_aside_and_comes_back_where_nothing_took_its_place(conffile):
    Path(conffile.path).write_text("edited here\n")
    with rpmfiles.set_aside(["x"]):  # and dnf brings nothing
        assert not Path(conffile.path).exists()
    assert Path(conffile.path).read_text() == "edited here\n"
    with rpmfiles.set_aside(["x"]):
        Path(conffile.path).write_bytes(OURS)
    assert Path(conffile.path).read_bytes() == OURS
    assert beside(conffile, ".rpmsave").read_text() == "edited here\n"


def test_an_unedited_file_stays_where_it_is(conffile):
    with rpmfiles.set_aside(["x"]):
        assert Path(conffile.path).read_bytes() == OURS
