"""Ctrl-C, SIGTERM and a closed terminal end a command, also one that hangs, and leave no process behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from stopgap.engine.model import RunRequest
from stopgap.engine.run import run
from tests.faults import processes

pytestmark = pytest.mark.e2e
PLUGINS = Path(__file__).parents[1] / "connection_plugins"


def wait_until(seen, seconds=30):
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path):
    """Begin `stopgap assess` of three hosts; gives it as soon as a worker has said (by a file) that it is there.

    slow: each ssh waits for its host. dead: a worker died with the lock of Ansible's result queue, which then waits for
    that lock without limit (docs/reference/faults.md).
    """
    told, ssh, hosts = tmp_path / "told", tmp_path / "ssh", tmp_path / "hosts.yml"
    ssh.write_text('#!/bin/sh\ntouch "$TOLD"\nexec sleep 60\n')
    ssh.chmod(0o700)
    kinds = {"slow": {"ansible_ssh_executable": str(ssh)}, "dead": {"ansible_connection": "site_dies"}}
    own = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "TOLD": str(told)}
    own |= {"STOPGAP_STATE_DIR": str(tmp_path / "state"), "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS)}

    def start(kind, *before):
        inventory = {"all": {"hosts": dict.fromkeys("abc"), "vars": kinds[kind]}}
        hosts.write_text(json.dumps(inventory))
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "stopgap", "assess", "CVE-2023-44487", "-i", str(hosts)],
            cwd=tmp_path,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        wait_until(told.exists)
        return process

    yield start
    subprocess.run(["pkill", "-KILL", "-f", "--", str(tmp_path)], check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["slow", "dead"])
def test_a_command_that_is_stopped_leaves_no_process(start, number, kind):
    process = start(kind)
    began = processes.tree(process.pid)
    assert len(began) > 2
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert f"stopped by {number.name}" in said
    assert process.returncode == 1
    wait_until(lambda: not any(processes.words(one) for one in began), 10)


def test_what_the_caller_ignores_stays_ignored(start):
    process = start("slow", "nohup")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert "stopped by SIGTERM" in said


def test_whoever_does_not_hear_the_first_signal_hears_another(tmp_path):
    """A signal may meet Ansible where it waits for a lock, and is not acted upon before the next."""
    deaf = """
        import signal
        seen = []
        signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
        print("here", flush=True)
        while len(seen) < 3:
            signal.pause()
    """
    script = """
        import os, signal, subprocess, sys
        from stopgap.engine import run
        with run._stop_gently(os.environ["MARK"]) as came:
            words = [sys.executable, "-c", os.environ["DEAF"], os.environ["MARK"]]
            child = subprocess.Popen(words, stdout=subprocess.PIPE)
            child.stdout.readline()
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                print(child.wait(timeout=20), [one.name for one in came])
            finally:
                child.kill()
    """
    own = {"DEAF": textwrap.dedent(deaf), "MARK": f"{tmp_path}/deaf", "PATH": ""}  # nor is anybody's pkill needed
    words = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(words, env=os.environ | own, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "0 ['SIGTERM']\n", done.stderr


def test_passwords_are_in_no_file_while_a_command_runs(tmp_path, monkeypatch):
    """A command that is killed leaves its private folder behind."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    secret, seen, folders = "not-to-be-found", [], set()

    def look(_event):
        files = [path for path in tmp_path.glob("stopgap-*/**/*") if path.is_file()]
        folders.update(path.parent.name for path in files)
        seen.extend(path.name for path in files if secret in path.read_text(errors="replace"))

    request = RunRequest(
        "assess",
        inventory=("web1,",),
        variables={"stopgap_remedies": "CVE-2023-44487"},
        passthrough=("--ask-become-pass", "-e", "ansible_ssh_executable=/bin/false"),
        passwords={r"^BECOME password.*:\s*?$": secret},
    )
    result = run(request, look)
    assert list(result.failures) == ["web1"]
    assert "env" in folders  # it was the right place to look
    assert seen == []
