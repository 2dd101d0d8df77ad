"""Is a mitigation of the journal still in effect: what the host says, not what the journal says."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import facts
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


@pytest.fixture
def entry(target):
    target.present(remedy("CVE-1", target.file("a.conf")))
    return target.in_force()[0]


def test_as_it_was_written_is_in_effect(entry):
    told = facts.effect_of(entry)
    assert (told["in_force"], told["state"], told["entry"]) == (True, "applied", entry["entry"])


def test_undone_behind_our_back_is_not(target, entry):
    os.unlink(target.path("a.conf"))
    told = facts.effect_of(entry)
    assert told["in_force"] is False
    assert told["reason"].startswith(f"file:{target.path('a.conf')} is now: ")


def test_edited_behind_our_back_is_not(target, entry):
    Path(target.path("a.conf")).write_text("theirs\n")
    assert facts.effect_of(entry)["in_force"] is False


def test_what_was_never_written_is_not(entry):
    pending = {**entry["actions"][0], "state": "pending"}
    assert facts.in_effect([pending]) == (False, f"{entry['actions'][0]['resource']} is pending")


def test_an_action_that_cannot_be_read_is_unknown(monkeypatch, entry):
    def refuse(item):
        raise ActionError("systemctl does not answer")

    monkeypatch.setattr(facts.actions, "make", refuse)
    assert facts.in_effect(entry["actions"]) == (None, "systemctl does not answer")


def test_a_host_of_an_unknown_family_is_unreadable_and_says_so(monkeypatch):
    monkeypatch.setattr(facts.packages, "FAMILIES", {})
    host = facts.HostFacts([])
    assert "no package manager" in host.unreadable
