"""The commands' words."""

import os
import signal
from pathlib import Path

import pytest
from tests import typed
from typer.testing import CliRunner

from stopgap.cli.lab import app
from stopgap.lab import Lab, command
from stopgap.lab.errors import CommandError, LabError
from stopgap.lab.paths import private_dir


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_LAB_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LAB_NAME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "web1"], "NAME=SUITE"),
        (["up", "--name", "../x", "web1=bookworm"], "no lab name"),
        (["security", "web1"], "lab security HOST... on"),
        (["security", "on"], "lab security HOST... on"),
        (["security", "--all", "web1", "on"], "lab security HOST... on"),
        (["inventory", "--name", "none"], "lab up"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(words, says):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert says in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("words", [["lab", "up", "web1=bookworm"], ["lab", "down"], ["demo"]])
def test_who_is_not_root_is_told_so(words, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("stopgap.lab.paths.RUNTIME", Path("/proc/closed"))
    done = typed.stopgap(*words)
    assert done.returncode == 1
    assert "The lab needs root" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_told():
    with pytest.raises(LabError, match=r"^/proc/closed/lab: No such file or directory: STOPGAP_LAB_DIR names"):
        private_dir(Path("/proc/closed/lab"))


@pytest.mark.parametrize("kept", [[], ["--keep"]])
def test_a_demo_that_is_ended_by_a_signal_takes_its_hosts_along(kept, monkeypatch):
    done = []
    monkeypatch.setattr(Lab, "up", lambda *_: done.append("up") or os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(Lab, "down", lambda *_: done.append("down"))
    assert typed.stopgap("demo", *kept).returncode == 128 + signal.SIGTERM
    assert done == ["down", "up", *["down"] * (not kept)]


def test_inventory_prints_the_path(state):
    (state / "try").mkdir()
    (state / "try" / "hosts.yml").touch()
    result = CliRunner().invoke(app, ["inventory"], env={"STOPGAP_LAB_NAME": "try"})
    assert (result.exit_code, result.output) == (0, f"{state}/try/hosts.yml\n")


def test_an_expected_failure_comes_back():
    assert command.run(["sh", "-c", "exit 3"], check=False).returncode == 3


def test_an_unexpected_failure_says_what_and_why():
    with pytest.raises(CommandError, match="exit code 3: because"):
        command.run(["sh", "-c", "echo because >&2; exit 3"])


def test_a_missing_program_names_the_way_out():
    with pytest.raises(LabError, match="lab setup"):
        command.run(["stopgap-no-such-program"])


def test_input_is_passed_as_it_is():
    assert command.run(["cat"], stdin=b"a\xc3\xa9").stdout == "aé"
