"""P2: a mitigation is lifted when the fix is proven, or when an operator says so with a reason that is recorded."""

import sqlite3

import pytest

pytestmark = pytest.mark.lab
REMEDY = "CVE-2025-49844"


def test_p02_without_a_proven_fix_the_mitigation_stays(books):
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0

    done = books.stopgap("lift", REMEDY, "-l", "cache1")

    assert done.returncode == 2, done.stdout
    assert books.held("cache1") == {REMEDY}
    assert books.owed() == {("cache1", REMEDY)}


def test_p02_an_operator_may_overrule_and_the_reason_is_recorded(books):
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0

    done = books.stopgap("lift", REMEDY, "-l", "cache1", "--force", "--reason", "queue workers need Lua")

    assert done.returncode == 0, done.stdout
    assert books.held("cache1") == set()
    assert books.owed() == set()
    assert books.states()[("cache1", REMEDY)] == "exposed"
    with sqlite3.connect(books.state / "ledger.sqlite") as connection:
        said = connection.execute("select reason, evidence from events where kind = 'mitigation'").fetchall()
    assert any("queue workers need Lua" in str(row) for row in said)


def test_p02_overruling_without_a_reason_is_refused_in_a_plain_playbook_too(books):
    assert books.stopgap("mitigate", REMEDY, "-l", "cache1").returncode == 0

    done = books.playbook("lift", "-e", f"stopgap_remedies={REMEDY}", "-e", "stopgap_force=true", "-l", "cache1")

    assert done.returncode == 2, done.stdout
    assert "set stopgap_reason" in done.stdout
    assert books.held("cache1") == {REMEDY}
