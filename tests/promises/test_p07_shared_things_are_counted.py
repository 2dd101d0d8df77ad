"""P7: lifting one mitigation never lifts another, and what is restored at the end is what was before them all."""

import itertools
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.collection.target import Target, killed_at, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode, make


@pytest.fixture
def target(monkeypatch, tmp_path):
    monkeypatch.setattr(file_mode, "ADMINDIR", str(tmp_path / "no-dpkg"))
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        found = Target(Path(folder))
        Path(found.path("a.conf")).write_text("theirs\n")
        Path(found.path("a.conf")).chmod(0o4751)
        os.utime(found.path("a.conf"), ns=(10**18 + 7, 10**18 + 7))
        Path(found.path("tool")).write_text("x")
        Path(found.path("tool")).chmod(0o2755)
        yield found


def overlapping(target):
    """Four remedies; every two of them share something."""
    a, tool = target.file("a.conf"), target.mode("tool")
    new, other = target.file("d/new.conf"), target.file("d/other.conf")
    return [
        remedy("CVE-1", a, new),
        remedy("CVE-2", tool, a),
        remedy("CVE-3", new, tool, other),
        remedy("CVE-4", a, tool, new),
    ]


def assert_all_in_force(target):
    for entry in target.in_force():
        if entry["state"] == "applied":
            for action in entry["actions"]:
                current = make(action).read()
                assert {key: current[key] for key in action["written"]} == action["written"], entry["remedy"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_p07_in_whatever_order_they_are_lifted(target, order):
    before, remedies = target.tree(), overlapping(target)[:3]
    target.present(*remedies)
    for number in order:
        target.absent(remedies[number])
        assert_all_in_force(target)
    assert target.tree() == before


@pytest.mark.parametrize("seed", range(25))
def test_p07_random_sequences_with_crashes(target, seed):
    chance, before, remedies = random.Random(seed), target.tree(), overlapping(target)  # noqa: S311
    for _step in range(14):
        state, chosen = chance.choice(["present", "present", "absent"]), chance.choice(remedies)
        if chance.random() < 0.4:
            moment = chance.randint(1, 60)
            killed_at(moment, lambda state=state, chosen=chosen: target.run(state, chosen))
        else:
            result = target.run(state, chosen)[0][0]
            assert result["state"] in ("applied", "lifted", "none"), result["reason"]
            assert_all_in_force(target)
    target.absent(*chance.sample(remedies, len(remedies)))
    assert target.tree() == before
    assert not target.in_force()


def test_p07_two_values_for_one_thing_stack(target):
    before = target.tree()
    low, high = remedy("CVE-1", target.file("a.conf", "low\n")), remedy("CVE-2", target.file("a.conf", "high\n"))
    target.present(low)
    target.present(high)
    target.absent(high)
    assert Path(target.path("a.conf")).read_text() == "low\n"
    target.present(high)
    target.absent(low)
    assert Path(target.path("a.conf")).read_text() == "high\n"
    target.absent(high)
    assert target.tree() == before


def test_p07_what_was_so_before_is_restored_by_nobody(target):
    Path(target.path("a.conf")).write_text("ours\n")
    Path(target.path("a.conf")).chmod(0o644)
    before = target.tree()
    one, two = remedy("CVE-1", target.file("a.conf")), remedy("CVE-2", target.file("a.conf"))
    target.present(one, two)
    target.absent(one)
    target.absent(two)
    assert target.tree() == before


def test_p07_a_foreign_change_repaired_by_one_is_not_undone_when_that_one_goes(target):
    one, two = remedy("CVE-1", target.file("a.conf")), remedy("CVE-2", target.file("a.conf"))
    target.present(one, two)
    Path(target.path("a.conf")).write_text("somebody else's\n")
    target.present(one)
    assert_all_in_force(target)
    target.absent(one)
    assert_all_in_force(target)
    target.absent(two)
    assert Path(target.path("a.conf")).read_text() == "somebody else's\n"


def test_p07_a_newcomer_on_a_lost_one_does_not_lose_it_again_when_it_goes(target):
    one, two = remedy("CVE-1", target.file("a.conf")), remedy("CVE-2", target.file("a.conf"))
    target.present(one)
    Path(target.path("a.conf")).write_text("somebody else's\n")
    target.present(two)
    target.absent(two)
    assert_all_in_force(target)
    target.absent(one)
    assert Path(target.path("a.conf")).read_text() == "somebody else's\n"
