"""Edits of files that are not ours: cases in tests/cases/line, and what goes wrong with any edit."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.edit_cases import assert_there_and_back, cases
from tests.unit.collection.target import remedy

OLD = 1_600_000_000_123_456_789
REFUSE = ["sh", "-c", 'echo "$0: line 2: no such option" >&2; exit 1']


@pytest.fixture
def conf(target):
    path = Path(target.path("x.conf"))
    path.write_bytes(b"one 1\ntwo 2\nthree 3\n\xff\xfe\n")
    os.chown(path, 1, 2)
    path.chmod(0o4644)
    os.utime(path, ns=(OLD, OLD))
    return path


def edit(target, **params):
    return {"type": "line", "params": {"path": target.path("x.conf"), **params}}


@pytest.mark.parametrize("case", cases("line"))
def test_line_and_back(target, case):
    assert_there_and_back(target, "line", case)


def test_line_keeps_owner_mode_and_bytes(target, conf):
    os.setxattr(conf, "user.note", b"x")
    target.present(remedy("CVE-1", edit(target, match="^two", line="two 3")))
    info = conf.stat()
    assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == (0o4644, 1, 2)
    assert conf.read_bytes() == b"one 1\ntwo 3\nthree 3\n\xff\xfe\n"
    assert os.getxattr(conf, "user.note") == b"x"


def test_line_follows_a_link(target, conf):
    Path(target.path("link")).symlink_to("x.conf")
    action = {"type": "line", "params": {"path": target.path("link"), "line": "x"}}
    told = target.present(remedy("CVE-1", action))[0]
    assert told["actions"][0]["resource"].startswith(f"line:{conf}:")
    assert Path(target.path("link")).is_symlink()


def test_line_in_a_file_that_is_not_there(target):
    told = target.present(remedy("CVE-1", edit(target, line="x")))[0]
    assert (told["state"], told["changed"], target.entries()) == ("failed", False, [])
    assert "install what reads it, or write it whole with `file`; nothing was changed" in told["reason"]


def test_line_that_its_validator_refuses_never_counts(target, conf):
    before, inode = target.tree(), conf.stat().st_ino
    told = target.present(remedy("CVE-1", edit(target, line="x", validate=[*REFUSE, "%s"])))[0]
    assert "line 2: no such option" in told["reason"]
    assert (target.tree(), conf.stat().st_ino) == (before, inode)


def test_line_that_a_validator_in_place_refuses_is_put_back(target, conf):
    before = target.tree()
    told = target.present(remedy("CVE-1", edit(target, line="x", validate=REFUSE)))[0]
    assert "line 2: no such option; everything was put back" in told["reason"]
    assert target.tree() == before


@pytest.mark.parametrize("force", [False, True])
def test_line_that_somebody_changed_since(target, conf, force):
    wanted = remedy("CVE-1", edit(target, match="^two", line="two 3"))
    target.present(wanted)
    conf.write_bytes(conf.read_bytes().replace(b"two 3", b"two 4").replace(b"one 1", b"one 9"))
    told = target.absent(wanted, force=force)[0]
    if force:
        assert conf.read_bytes() == b"one 9\ntwo 2\nthree 3\n\xff\xfe\n"
    else:
        assert told["state"] == "refused"
        assert "edit is changed to two 4, not two 3" in told["reason"]


def test_line_undone_by_somebody_is_lost_and_put_in_again(target, conf):
    wanted = remedy("CVE-1", edit(target, match="^two", line="two 3"))
    before = conf.read_bytes()
    target.present(wanted)
    conf.write_bytes(before)
    assert target.present(wanted)[0]["changed"]
    assert b"two 3" in conf.read_bytes()
    target.absent(wanted)
    assert conf.read_bytes() == before


def test_line_that_somebody_added_beside_ours_is_seen(target, conf):
    wanted = remedy("CVE-1", edit(target, match="^two", line="two 3"))
    target.present(wanted)
    conf.write_bytes(conf.read_bytes() + b"two 2\n")
    assert target.present(wanted)[0]["changed"]
    assert conf.read_bytes().count(b"two") == 1


def test_p09_a_pipe_in_the_files_place_is_not_waited_for(target, conf, in_time):
    """Whoever owns the folder can put one there, and the whole play would wait for this host."""
    wanted = remedy("CVE-1", edit(target, match="^two", line="2"))
    target.present(wanted)
    conf.unlink()
    os.mkfifo(conf)
    told = target.absent(wanted)[0]
    assert (told["state"], "is neither a file nor a link" in told["reason"]) == ("failed", True), told
    conf.unlink()
    assert target.absent(wanted, force=True)[0]["state"] == "lifted"


def test_line_whose_file_is_gone_needs_force_and_nothing_else(target, conf):
    wanted = remedy("CVE-1", edit(target, line="x"))
    target.present(wanted)
    conf.unlink()
    assert target.absent(wanted)[0]["state"] == "refused"
    assert target.absent(wanted, force=True)[0]["state"] == "lifted"
    assert not conf.exists()


def test_line_of_a_file_that_is_not_everybodys_is_not_told(target, conf):
    conf.chmod(0o4640)
    wanted = remedy("CVE-1", edit(target, match="^two", line="ours"))
    results, diffs = target.run("present", wanted, check=True)
    assert "two 2" not in str(results) + str(diffs)
    assert "contents not shown: mode 4640" in diffs[0]["before"]


def test_edits_in_one_mitigation(target, conf):
    before = target.tree()
    three = [
        edit(target, match="^one", line="one 9"),
        edit(target, match="^three", absent=True),
        edit(target, line="last"),
    ]
    assert target.present(remedy("CVE-1", *three))[0]["state"] == "applied"
    assert conf.read_bytes() == b"one 9\ntwo 2\n\xff\xfe\nlast\n"
    assert not target.present(remedy("CVE-1", *three))[0]["changed"]
    target.absent(remedy("CVE-1"))
    assert target.tree() == before


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "give `line`, or `absent` with `match`"),
        ({"line": "x", "match": "("}, "match '('"),
    ],
)
def test_line_that_makes_no_sense(target, conf, params, said):
    told = target.present(remedy("CVE-1", edit(target, **params)))[0]
    assert told["state"] == "failed"
    assert said in told["reason"]
