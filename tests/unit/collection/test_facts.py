"""Is a mitigation of the journal still in effect: what the host says, not what the journal says."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import facts
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import Holds


@pytest.fixture
def holds(target):
    """Whoever asks, asks of all entries in force."""

    class Now(Holds):
        def __init__(self):
            super().__init__(target.journal(), target.in_force())

    return Now


@pytest.fixture
def entry(target):
    target.present(remedy("CVE-1", target.file("a.conf")))
    return target.in_force()[0]


def test_as_it_was_written_is_in_effect(entry, holds):
    told = facts.effect_of(entry, holds())
    assert (told["in_force"], told["state"], told["entry"]) == (True, "applied", entry["entry"])


def test_undone_behind_our_back_is_not(target, entry, holds):
    os.unlink(target.path("a.conf"))
    told = facts.effect_of(entry, holds())
    assert told["in_force"] is False
    assert told["reason"].startswith(f"file:{target.path('a.conf')} is now: ")


def test_edited_behind_our_back_is_not(target, entry, holds):
    Path(target.path("a.conf")).write_text("theirs\n")
    assert facts.effect_of(entry, holds())["in_force"] is False


def test_below_another_that_decides_otherwise_is_in_effect_and_says_so(target, holds):
    """Both hold; applying the lower one again would change nothing, so an alarm about it could never be quieted."""
    Path(target.path("tool")).write_text("x")
    target.present(remedy("CVE-1", target.mode("tool", "0750")))
    target.present(remedy("CVE-2", target.mode("tool", "0700")))
    lower, higher = target.in_force()
    note = f"file_mode:{target.path('tool')} is as CVE-2 sets it since"
    assert facts.in_effect(lower["actions"], holds()) == (True, note)
    assert facts.in_effect(higher["actions"], holds()) == (True, "")
    os.chmod(target.path("tool"), 0o755)
    assert [facts.in_effect(each["actions"], holds())[0] for each in (lower, higher)] == [False, False]


def test_what_was_never_written_is_not(entry, holds):
    pending = {**entry["actions"][0], "state": "pending"}
    assert facts.in_effect([pending], holds()) == (False, f"{entry['actions'][0]['resource']} is pending")


def test_an_action_that_cannot_be_read_is_unknown(monkeypatch, entry, holds):
    def refuse(item):
        raise ActionError("systemctl does not answer")

    monkeypatch.setattr("ansible_collections.stopgap.remediation.plugins.module_utils.holds.make", refuse)
    assert facts.in_effect(entry["actions"], holds()) == (None, "systemctl does not answer")


def test_a_host_of_an_unknown_family_is_unreadable_and_says_so(monkeypatch):
    monkeypatch.setattr(facts.packages, "FAMILIES", {})
    host = facts.HostFacts([])
    assert "no package manager" in host.unreadable
