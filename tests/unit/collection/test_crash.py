"""kill -9 at every single change, while applying and while lifting; then a second run."""

import itertools
import os
import shutil
from pathlib import Path

import pytest
from tests.unit.collection.target import killed_at, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import make
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import mitigate

OLD = 1_600_000_000_123_456_789


@pytest.fixture
def host(target):
    Path(target.path("old.conf")).write_text("theirs\n")
    os.chmod(target.path("old.conf"), 0o4640)
    os.utime(target.path("old.conf"), ns=(OLD, OLD))
    os.symlink("old.conf", target.path("link.conf"))
    Path(target.path("tool")).write_text("#!/bin/true\n")
    os.chmod(target.path("tool"), 0o4755)
    return target


def files(host):
    return remedy(
        "CVE-1", host.file("old.conf"), host.file("a/b/new.conf"), host.file("link.conf"), host.mode("tool", "0700")
    )


def assert_in_force(host):
    assert [entry["state"] for entry in host.in_force()] == ["applied"]
    for action in host.in_force()[0]["actions"]:
        current = make(action).read()
        assert {key: current[key] for key in action["written"]} == action["written"]


@pytest.mark.parametrize("crash_in", ["present", "absent"])
def test_crash_at_every_moment_is_finished_or_undone(host, crash_in):
    """Several actions of one remedy; each type by itself is in tests/promises/test_p01_crash_at_every_moment.py."""
    before, wanted = host.tree(), files(host)
    for moment in itertools.count(1):
        if crash_in == "absent":
            host.present(wanted)
        killed = killed_at(moment, lambda: host.run(crash_in, wanted))
        if moment % 2:
            host.present(wanted)
            assert_in_force(host)
        host.absent(wanted)
        assert host.tree() == before, moment
        assert not host.in_force()
        shutil.rmtree(host.base)
        if not killed:
            break
    assert moment > 20


@pytest.mark.parametrize("first", ["present", "absent"])
def test_crash_in_the_second_run_too(host, first):
    before, wanted = host.tree(), files(host)
    for moment in range(1, 120, 7):
        killed_at(moment, lambda: host.run("present", wanted))
        killed_at(moment // 2 + 1, lambda: host.run(first, wanted))
        killed_at(moment // 3 + 1, lambda: host.run("absent", wanted))
        host.present(wanted)
        assert_in_force(host)
        host.absent(wanted)
        assert host.tree() == before, moment


def slowly(target):
    """A command that takes its time, and does harm when it is run twice."""
    log = target.path("log")
    return {
        "type": "command",
        "params": {
            "check": {"run": ["sh", "-c", f"cat {log} || true"], "stdout_has": "done"},
            "apply": {"run": ["sh", "-c", f"sleep 0.3; echo done >> {log}"]},
            "revert": {"run": ["sh", "-c", f"sleep 0.3; rm {log}"]},
        },
    }


@pytest.mark.parametrize("crash_in", ["present", "absent"])
def test_a_command_that_outlives_its_run_is_waited_for(target, crash_in):
    wanted = remedy("CVE-1", slowly(target))
    for moment in itertools.count(1):
        if crash_in == "absent":
            target.present(wanted)
        killed = killed_at(moment, lambda: target.run(crash_in, wanted), counts=is_a_slow_command)
        target.present(wanted)
        assert Path(target.path("log")).read_text() == "done\n", moment
        target.absent(wanted)
        assert target.tree() == {}
        if not killed:
            break
    assert moment == 4


def is_a_slow_command(function, args):
    return function.__name__ == "Popen" and "sleep" in args[0][-1]


def test_a_command_that_outlives_its_run_too_long_is_named(target):
    wanted, gate = remedy("CVE-1", slowly(target)), target.root.parent / "gate"
    wanted["mitigations"][0]["actions"][0]["params"]["apply"]["run"] = ["sh", "-c", f"sleep 0; read x < {gate}"]
    os.mkfifo(gate)
    killed_at(2, lambda: target.run("present", wanted), counts=is_a_slow_command)
    with pytest.raises(JournalError, match=r"its command still works \(process \d+: sh -c .*nothing was changed"):
        mitigate(target.journal(lock_wait=0.2), [wanted], "absent")
    gate.write_text("go on\n")
    assert target.absent(wanted)[0]["state"] == "lifted"


def test_what_somebody_changed_between_the_kill_and_the_next_run_is_not_overwritten(target):
    wanted, path = remedy("CVE-1", target.file("a.conf")), Path(target.path("a.conf"))
    for moment in itertools.count(1):
        if not killed_at(moment, lambda: target.run("present", wanted)):
            break
        path.unlink(missing_ok=True)
        path.symlink_to("elsewhere")
        result = target.present(wanted)[0]
        if result["state"] == "failed":
            assert "a.conf: kind is link, not file" in result["reason"], moment
            assert path.is_symlink(), moment
        target.absent(wanted)
        target.absent(wanted, force=True)
        shutil.rmtree(target.base)
        if result["state"] == "applied":
            assert path.is_symlink(), moment
            path.unlink()
        else:
            assert not path.is_symlink(), moment
    assert moment > 20
