"""Where the journal cannot be kept, nothing is changed and the operator learns why."""

import errno
import functools
import json
import operator
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import entry_info


def test_it_is_private(target):
    target.present(remedy("CVE-1", target.file("x.conf")))
    for path in [target.base, *target.base.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_another_run_holds_it(target):
    with (
        target.journal().locked(),
        pytest.raises(JournalError, match="another run holds"),
        target.journal(lock_wait=0).locked(),
    ):
        pass


@pytest.mark.parametrize("left", [b"\0" * 64, b"\xff\xfe", b"12345", b"1 x"])
def test_a_lock_that_names_no_command_holds_nobody_up(target, left):
    """A power cut may leave zeros where the last command was noted."""
    target.present(remedy("CVE-1", target.file("a.conf")))
    (target.base / "lock").write_bytes(left)
    assert target.absent(remedy("CVE-1"))[0]["state"] == "lifted"


def test_a_command_of_any_name_can_be_asked_for(target, tmp_path):
    """The number of one that has ended may be another user's by now, who calls it what he likes."""
    program = tmp_path / os.fsdecode(b"\xfcber")
    shutil.copy("/bin/sleep", program)
    child = subprocess.Popen([program, "60"])
    try:
        target.present(remedy("CVE-1", target.file("a.conf")))
        (target.base / "lock").write_bytes(b"%d 1" % child.pid)
        assert target.absent(remedy("CVE-1"))[0]["state"] == "lifted"
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "make room first"), (errno.EROFS, "read-only"), (errno.EACCES, "is become on")]
)
def test_a_journal_that_cannot_be_written_stops_everything(target, monkeypatch, number, hint):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "write", refuse)
    with pytest.raises(JournalError, match=hint):
        target.present(remedy("CVE-1", target.file("x.conf")))
    assert target.tree() == {}


def test_a_disk_that_fills_up_before_the_entry_is_written_leaves_the_host_alone(target, monkeypatch):
    write = durable.write

    def refuse(path, data, state):
        if path.endswith("entry.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data, state)

    monkeypatch.setattr(durable, "write", refuse)
    result = target.present(remedy("CVE-1", target.file("x.conf")))[0]
    assert result["state"] == "failed"
    assert "No space left" in result["reason"]
    assert "nothing was changed" in result["reason"]
    assert target.tree() == {}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("place", [(), ("history", 0), ("actions", 0)])
def test_an_entry_that_lacks_anything_is_damaged(target, place, check):
    """Whatever somebody took out of it by hand: a sentence, and nothing is changed."""
    wanted = remedy("CVE-1", target.file("x.conf"))
    target.present(wanted)
    before, (path,) = target.tree(), target.base.glob("journal/*/entry.json")
    whole = path.read_text()
    for key in set(functools.reduce(operator.getitem, place, json.loads(whole))) - {"format"}:
        entry = json.loads(whole)
        del functools.reduce(operator.getitem, place, entry)[key]
        path.write_text(json.dumps(entry))
        with pytest.raises(JournalError, match="it is no entry"):
            target.absent(wanted, check=check)
        assert target.tree() == before


def test_a_damaged_entry_stops_everything(target):
    target.present(remedy("CVE-1", target.file("x.conf")))
    next(target.base.glob("journal/*/entry.json")).write_text("{")
    with pytest.raises(JournalError, match="damaged"):
        target.present(remedy("CVE-2", target.file("y.conf")))
    assert not Path(target.path("y.conf")).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("null", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"format": 1, "entry": "x"}', "damaged"),
        ('{"format": 2}', "newer"),
    ],
)
def test_an_entry_that_is_none_or_of_a_newer_kind_stops_everything(target, content, said):
    target.present(remedy("CVE-1", target.file("x.conf")))
    path = next(target.base.glob("journal/*/entry.json"))
    path.write_text(content)
    for act in (target.present, target.absent):
        with pytest.raises(JournalError, match=f"{path} .*{said}.*nothing will be changed"):
            act(remedy("CVE-2", target.file("y.conf")))
    assert not Path(target.path("y.conf")).exists()


def test_the_fact_says_what_is_in_force(target):
    wanted = remedy("CVE-1", target.file("x.conf"), ttl=60)
    target.present(wanted)
    mitigations = json.loads(target.fact.read_text())["mitigations"]
    assert [(item["remedy"], item["mitigation"], item["state"]) for item in mitigations] == [("CVE-1", "m", "applied")]
    assert mitigations[0]["expires_at"] > mitigations[0]["applied_at"]
    assert stat.S_IMODE(target.fact.stat().st_mode) == 0o644
    target.absent(wanted)
    assert json.loads(target.fact.read_text()) == {"mitigations": []}


def test_a_fact_that_cannot_be_written_does_not_hide_what_was_done(target):
    target.fact.parent.write_text("in the way")
    result = target.present(remedy("CVE-1", target.file("x.conf")))[0]
    assert result["state"] == "applied"
    assert "stopgap.fact could not be written" in result["reason"]


def test_journal_info_tells_no_contents(target):
    target.present(remedy("CVE-1", target.file("x.conf", "password\n")))
    info = entry_info(target.entries()[0])
    assert "password" not in json.dumps(info)
    assert info["actions"] == [
        {
            "type": "file",
            "resource": "file:" + os.path.realpath(target.path("x.conf")),
            "state": "applied",
            "changed": True,
        }
    ]


def test_owner_reason_and_time_to_live_are_kept(target):
    target.present(remedy("CVE-1", target.file("x.conf"), ttl=None), owner="web", reason="sunday")
    entry = target.entries()[0]
    assert (entry["owner"], entry["reason"], entry["expires_at"]) == ("web", "sunday", None)
    target.absent(remedy("CVE-1"), reason="fixed")
    assert [item.get("reason") for item in target.entries()[0]["history"]] == [None, None, "fixed", None]
