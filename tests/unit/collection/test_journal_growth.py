"""The journal does not grow without end, and what a way back needs is never thrown away."""

import os
from pathlib import Path

from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import journal


def saved(target):
    return sorted(path.read_text() for path in target.base.glob("journal/*/saved/*"))


def test_lifted_entries_are_kept_up_to_a_number(target, monkeypatch):
    monkeypatch.setattr(journal, "KEPT", 3)
    stays = remedy("CVE-0", target.file("stays.conf"))
    target.present(stays)
    for number in range(1, 6):
        target.present(remedy(f"CVE-{number}", target.file("x.conf")))
        target.absent(remedy(f"CVE-{number}", target.file("x.conf")))
    assert [entry["remedy"] for entry in target.entries()] == ["CVE-0", "CVE-3", "CVE-4", "CVE-5"]
    assert len(os.listdir(target.base / "journal")) == 4
    target.absent(stays)
    assert target.tree() == {}


def test_a_lifted_entry_stays_as_long_as_a_holder_above_it_needs_what_it_saved(target, monkeypatch):
    monkeypatch.setattr(journal, "KEPT", 0)
    Path(target.path("a.conf")).write_text("theirs\n")
    before = target.tree()
    low, high = remedy("CVE-1", target.file("a.conf", "low\n")), remedy("CVE-2", target.file("a.conf", "high\n"))
    target.present(low)
    target.present(high)
    target.absent(low)
    assert [entry["state"] for entry in target.entries()] == ["lifted", "applied"]
    assert saved(target) == ["theirs\n"]
    target.absent(high)
    assert target.tree() == before
    assert target.entries() == []


def test_a_tug_of_war_keeps_only_the_last_way_back(target):
    wanted = remedy("CVE-1", target.file("a.conf"))
    target.present(wanted)
    for number in range(5):
        Path(target.path("a.conf")).write_text(f"theirs {number}\n")
        target.present(wanted)
    assert saved(target) == ["theirs 4\n"]
    target.absent(wanted)
    assert Path(target.path("a.conf")).read_text() == "theirs 4\n"
    assert saved(target) == []


def test_what_force_has_overwritten_stays_with_its_entry(target):
    wanted = remedy("CVE-1", target.file("a.conf"))
    target.present(wanted)
    Path(target.path("a.conf")).write_text("somebody else's\n")
    target.absent(wanted, force=True)
    target.present(remedy("CVE-2", target.file("b.conf")))
    assert saved(target) == ["somebody else's\n"]


def test_what_was_saved_for_a_change_that_never_began_goes(target):
    Path(target.path("a.conf")).write_text("theirs\n")
    target.present(remedy("CVE-1", target.file("a.conf"), target.mode("missing")))
    assert list(target.base.glob("journal/*")) == []


def test_a_copy_never_takes_the_place_of_another(target, monkeypatch):
    """Names of copies that went are used again only above all that are left."""
    Path(target.path("a.conf")).write_text("first\n")
    Path(target.path("b.conf")).write_text("second\n")
    wanted = remedy("CVE-1", target.file("a.conf"), target.file("b.conf"))
    target.present(wanted)
    Path(target.path("a.conf")).write_text("third\n")
    target.present(wanted)
    Path(target.path("a.conf")).write_text("fourth\n")
    target.present(wanted)
    assert saved(target) == ["fourth\n", "second\n"]
    target.absent(wanted)
    assert [Path(target.path(name)).read_text() for name in ("a.conf", "b.conf")] == ["fourth\n", "second\n"]


def test_a_journal_that_cannot_be_tidied_is_no_failure(target, monkeypatch):
    def refuse(*args):
        raise OSError("input/output error")

    monkeypatch.setattr(journal.Journal, "tidy", refuse)
    target.present(remedy("CVE-1", target.file("a.conf")))
    assert target.absent(remedy("CVE-1", target.file("a.conf")))[0]["state"] == "lifted"
