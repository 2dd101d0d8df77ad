"""A person's word is kept on the host, with who, when and why, for one revision of the remedy."""

import json
import stat

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import attested
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import ReadOnlyJournal

REMEDIES = [
    {
        "id": "CVE-1",
        "revision": 2,
        "fix": {"obligations": [{"id": "rekey", "attest": True}, {"id": "checked", "attest": False}]},
    },
    {"id": "CVE-2", "revision": 1, "fix": {"obligations": []}},
]


@pytest.fixture
def attest(target):
    def call(*obligations, by="ann", reason="CHG-1", journal=None, remedies=REMEDIES):
        journal = journal or target.journal()
        return attested.attest(journal, remedies, obligations, by, reason, base=str(target.base))

    return call


def test_who_and_why_are_kept_for_root_alone(target, attest):
    assert attest("rekey", "checked") == [{"remedy": "CVE-1", "obligation": "rekey", "changed": True}]
    path = target.base / "attested/CVE-1.json"
    word = json.loads(path.read_text())["rekey"]
    assert (word["by"], word["reason"], word["revision"]) == ("ann", "CHG-1", 2)
    assert word["at"].endswith("Z")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("reason", ["", " "])
def test_a_word_without_a_reason_is_worth_nothing(reason, target, attest):
    """The role asks the first host's variables for one; a module's required argument may be empty."""
    with pytest.raises(StopgapError, match="say why"):
        attest("rekey", reason=reason)
    assert not target.base.exists()


def test_the_same_word_twice_changes_nothing_and_another_one_does(attest):
    attest("rekey")
    assert not attest("rekey")[0]["changed"]
    assert attest("rekey", by="bob")[0]["changed"]


def test_a_new_revision_has_to_be_attested_again(attest):
    attest("rekey")
    assert attest("rekey", remedies=[dict(REMEDIES[0], revision=3)])[0]["changed"]


def test_check_mode_says_so_and_writes_nothing(target, attest):
    readonly = target.journal(ReadOnlyJournal)
    assert attest("rekey", journal=readonly)[0]["changed"]
    assert not target.base.exists()
