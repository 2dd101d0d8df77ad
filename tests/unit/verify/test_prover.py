"""Checks asked one at a time, hosts asked at once: on this machine under several names."""

import os
import signal
import subprocess
import time

import pytest

from stopgap.verify.context import Context
from stopgap.verify.prover import Prover, Question

CONTEXT = Context({"id": "CVE-1", "revision": 1, "affected": {"packages": []}}, "fix")


def question(host, script, number=0):
    params = {"run": ["sh", "-c", script], "stdout_has": "yes"}
    return Question(host, CONTEXT, {"type": "command", "params": params}, number)


@pytest.fixture
def prover(local):
    prover = Prover({"a": local, "b": local, "gone": {"argv": ["false"], "python": "python3"}})
    yield prover
    prover.close()


def test_no_host_waits_for_another(prover, tmp_path):
    """a's first check ends only once b's second has run: asked one host after the other, it would run out of time."""
    waits = question("a", f"until [ -e {tmp_path}/met ]; do sleep 0.02; done; echo yes")
    meets = question("b", f": > {tmp_path}/met; echo yes", 1)
    asked = [waits, question("b", "echo no"), meets, question("gone", "echo yes")]
    prover.ask_ahead(asked)
    assert [prover.answer(one)["verdict"] for one in asked] == ["pass", "fail", "pass", "unknown"]


def test_who_asks_again_is_answered_anew(prover, tmp_path):
    count = question("a", f"echo x >> {tmp_path}/asked; [ $(wc -l < {tmp_path}/asked) = 2 ] && echo yes; true")
    prover.ask_ahead([count])
    assert [prover.answer(count)["verdict"] for _ in range(3)] == ["fail", "pass", "fail"]


def test_closing_ends_what_is_not_asked_yet(prover, tmp_path):
    first = question("a", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo yes")
    prover.ask_ahead([first, question("a", f": > {tmp_path}/asked", 1)])
    prover.stop()
    (tmp_path / "go").touch()
    assert prover.answer(first)["verdict"] == "pass"
    prover.close()
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("kind", ["asked", "frozen", "connecting", "relayed"])
def test_closing_waits_for_no_answer_that_nobody_wants(local, tmp_path, monkeypatch, kind):
    """As after Ctrl-C: no host holds the session up, and what runs on it ends."""
    (tmp_path / "ansible").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 60\n")
    (tmp_path / "ansible").chmod(0o755)
    monkeypatch.setattr("stopgap.verify.relay.environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    spec = {
        "connecting": {"argv": ["/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"]},
        "relayed": {"ansible": {"ansible_connection": "odd"}, "python": "python3"},
    }
    prover = Prover({"a": spec.get(kind, local)})
    freeze = "kill -STOP $PPID; " if kind == "frozen" else ""
    prover.ask_ahead([question("a", f"echo $$ > {tmp_path}/pid; {freeze}sleep 60")])
    end = time.monotonic() + 10
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.01)
    started = time.monotonic()
    prover.close()
    assert time.monotonic() - started < 5
    pid = int((tmp_path / "pid").read_text())
    if kind == "frozen":  # it hears of nothing
        os.killpg(pid, signal.SIGKILL)
    else:
        while (
            subprocess.run(["ps", "-o", "pid=", "-p", str(pid)], stdout=subprocess.DEVNULL, check=False).returncode == 0
        ):
            assert time.monotonic() < started + 10
            time.sleep(0.05)


def test_never_many_more_connections_than_forks_are_open(local, monkeypatch):
    """Hosts asked ahead are left when they have said all; of those asked one by one, the latest few are kept."""
    monkeypatch.setattr("stopgap.verify.prover.FORKS", 2)
    names = [str(number) for number in range(6)]
    for ahead, most in ((True, 2), (False, 3)):
        agents = f"ps --ppid {os.getpid()} -o args= | grep -c '[s]topgap> '"
        asked = [question(name, f"[ $({agents}) -le {most} ] && echo yes; true") for name in names]
        prover = Prover(dict.fromkeys(names, local))
        if ahead:
            prover.ask_ahead(asked)
        assert [prover.answer(one)["verdict"] for one in asked] == ["pass"] * 6
        prover.close()


def test_a_host_is_forgotten_after_its_last_question_unless_it_cannot_be_reached(prover):
    asked = [question("a", "echo yes"), question("a", "echo no", 1), question("gone", "echo yes")]
    prover.ask_ahead(asked)
    assert [prover.answer(one)["verdict"] for one in asked] == ["pass", "fail", "unknown"]
    prover._pool.shutdown()
    assert prover._hosts.keys() == {"gone"}
    assert prover.answer(asked[0])["verdict"] == "pass"


def test_an_error_of_ours_reaches_who_waits_for_the_answer(prover, monkeypatch):
    def broken(*_told):
        raise MemoryError("here")

    monkeypatch.setattr("stopgap.verify.prover.run_check", broken)
    asked = question("a", "echo yes")
    prover.ask_ahead([asked])
    with pytest.raises(MemoryError, match="here"):
        prover.answer(asked)
