"""P1 under kill -9: whatever the moment, a second run finishes or undoes it, for every action type."""

import itertools
import shutil
from pathlib import Path

import pytest
from tests.unit.collection.conftest import target  # noqa: F401 - a fixture
from tests.unit.collection.deaths import killed_at
from tests.unit.collection.rows import ROWS, drive

from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import ACTIONS, make

LAB = Path(__file__).parents[1] / "e2e/test_fault_points_lab.py"


@pytest.fixture(params=ROWS, ids=str)
def row(request, target, monkeypatch):  # noqa: F811
    request.param.prepare(target, monkeypatch)
    return request.param


def assert_in_force(host):
    assert [entry["state"] for entry in host.in_force()] == ["applied"]
    for action in host.in_force()[0]["actions"]:
        assert not differing(make(action).read(), action["written"])


@pytest.mark.parametrize("crash_in", ["present", "absent"])
def test_p01_a_kill_at_every_moment_ends_before_or_after(target, row, crash_in):  # noqa: F811
    """Moments lie before and after each change, so every state in between is met twice: once finished, once undone."""
    wanted, before = row.remedy(target), row.seen(target)
    drive(target, "present", wanted)
    after = row.seen_but_times(target)
    drive(target, "absent", wanted)
    assert row.seen(target) == before
    for moment in itertools.count(1):
        if crash_in == "absent":
            drive(target, "present", wanted)
        killed = killed_at(moment, lambda: drive(target, crash_in, wanted))
        if moment % 2:
            drive(target, "present", wanted)
            assert row.seen_but_times(target) == after, moment
            assert_in_force(target)
        drive(target, "absent", wanted)
        assert row.seen(target) == before, moment
        assert not target.in_force()
        shutil.rmtree(target.base)
        if not killed:
            break
    assert moment > 20


@pytest.mark.parametrize("kind", ACTIONS)
def test_p01_every_action_type_is_killed_somewhere(kind):
    assert kind in {row.kind for row in ROWS} or f'"{kind}"' in LAB.read_text()
