"""P1: nothing changes on a host before its prior state and the intent are on that host's disk (fsync)."""

import json
import os
import re
from pathlib import Path

import pytest
from tests.unit.collection.target import CHANGING, Target, changes, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode
from ansible_collections.stopgap.remediation.plugins.module_utils.durable import temporary


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setattr(file_mode, "ADMINDIR", str(tmp_path / "no-dpkg"))
    return Target(tmp_path)


class Witness:
    """Sees every change the process makes, and what of the journal is truly on disk at that moment."""

    def __init__(self, target, monkeypatch):
        self.target, self.seen = target, []
        self.pending = set()  # folders with a new name of the journal's in them that is not fsynced yet
        for name in CHANGING:
            monkeypatch.setattr(os, name, self.watching(getattr(os, name)))

    def watching(self, function):
        def call(*args, **kwargs):
            if changes(function, args):
                self.look(function.__name__, args, kwargs.get("dst_dir_fd", kwargs.get("dir_fd")))
            return function(*args, **kwargs)

        return call

    def look(self, name, args, folder):
        path = where(args[{"replace": 1, "symlink": 1}.get(name, 0)], folder)
        base = str(self.target.base)
        if path.startswith(base) or base.startswith(path):
            if name in ("replace", "mkdir"):
                self.pending.add(str(Path(path).parent))
        elif path.startswith(str(self.target.root)):
            self.seen.append((name, path, self.known(), set(self.pending)))
        if name == "fsync":
            self.pending.discard(path)

    def known(self):
        found = [json.loads(path.read_text()) for path in self.target.base.glob("journal/*/entry.json")]
        return {action["resource"].partition(":")[2]: action for entry in found for action in entry["actions"]}


def where(path, folder=None):
    """A descriptor, and the name of one, is the file that it holds."""
    held = re.fullmatch(r"(?:/proc/self/fd/)?(\d+)", str(path))
    if held and folder is None:
        return str(Path(f"/proc/self/fd/{held[1]}").readlink())
    return str(path) if folder is None else str(Path(where(folder)) / path)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_p01_every_change_of_the_host_finds_the_way_back_on_disk(target, monkeypatch, state):
    target.base = target.base / "lib/stopgap"
    Path(target.path("old.conf")).write_text("theirs\n")
    Path(target.path("tool")).write_text("x")
    wanted = remedy("CVE-1", target.file("old.conf"), target.file("d/new.conf"), target.mode("tool", "0700"))
    if state == "absent":
        target.present(wanted)
    witness = Witness(target, monkeypatch)
    target.run(state, wanted)
    assert {Path(path).name for _name, path, _known, _pending in witness.seen} >= {"tool", "d", "old.conf"}
    for name, path, known, pending in witness.seen:
        touched = [action for resource, action in known.items() if touches(path, resource)]
        assert not pending, (name, path)
        assert touched, (name, path)
        states = {action["state"] for action in touched if action["prior"]}
        assert states & {"applying", "applied", "reverting", "reverted"}, (name, path)


def touches(path, resource):
    """The file itself, its temporary, or a folder above it."""
    return path in (resource, temporary(resource)) or resource.startswith(path + "/")


def test_p01_the_saved_copy_is_complete_before_the_file_is_touched(target, monkeypatch):
    Path(target.path("old.conf")).write_text("theirs\n")
    saved = []
    replace = os.replace

    def look(source, goal, **folders):
        if where(goal, folders["dst_dir_fd"]) == target.path("old.conf"):
            saved.extend(path.read_text() for path in target.base.glob("journal/*/saved/*"))
        replace(source, goal, **folders)

    monkeypatch.setattr(os, "replace", look)
    target.present(remedy("CVE-1", target.file("old.conf")))
    assert saved == ["theirs\n"]


def test_p01_no_journal_no_change(target):
    target.base.write_text("in the way")
    with pytest.raises(OSError, match="cannot write the journal"):
        target.present(remedy("CVE-1", target.file("x.conf")))
    assert target.tree() == {}
