"""How a verb ends where its play did not come to its own end."""

import json
import os
import subprocess
import sys
import uuid

import pytest

from stopgap.cli.main import main
from stopgap.engine import run as engine
from stopgap.engine.model import RunResult

RUN = engine.run


@pytest.fixture
def stopgap(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))

    def call(*words, run=lambda _request, _listen: RunResult()):
        monkeypatch.setattr(engine, "run", run)
        monkeypatch.setattr(sys, "argv", ["stopgap", *words, "-i", "web1,"])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    return call


@pytest.mark.parametrize("verb", ["assess", "mitigate", "fix", "verify"])
def test_a_play_that_judged_nobody_proved_nothing(verb, stopgap):
    """--ansible --tags=x, --list-hosts, --start-at-task."""
    code, said = stopgap(verb, "CVE-2023-44487")
    assert code == 3
    assert "no host came to a verdict" in said.err
    assert "as they should be" not in said.out
    assert "have answered" not in said.out
    code, said = stopgap(verb, "CVE-2023-44487", "--json")
    assert (code, json.loads(said.out)["exit_code"]) == (3, 3)


def test_a_dry_run_has_nobody_to_judge(stopgap):
    assert stopgap("fix", "CVE-2023-44487", "--check")[0] == 0


def test_nobody_waits_for_a_password_that_ansible_cfg_has_ansible_ask_for(tmp_path):
    words = [sys.executable, "-m", "stopgap", "assess", "CVE-2023-44487", "-i", "web1,"]
    own = {"ANSIBLE_BECOME_ASK_PASS": "True", "STOPGAP_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        words,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "BECOME password" in done.stderr


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), FileNotFoundError(2, "No such file", "/gone")]
)
def test_a_controller_without_room_is_told_in_one_sentence(error, stopgap, monkeypatch):
    def broken(**_more):
        raise error

    monkeypatch.setattr(engine.ansible_runner, "run", broken)
    code, said = stopgap("assess", "CVE-2023-44487", "--json", run=RUN)
    assert (code, said.out) == (1, "")
    assert said.err.startswith(f"stopgap: the run broke down: {error.strerror}")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["-i", "w\udcf6b,"]])
def test_what_is_no_utf8_is_told_in_one_sentence(words, stopgap, monkeypatch):
    """A folder with an old name: the shell leaves it in OLDPWD, and runner writes down the whole environment."""
    if not words:
        monkeypatch.setenv("OLDPWD", "/srv/K\udcf6ln")
    code, said = stopgap("assess", "CVE-2023-44487", *words, "--json", run=RUN)
    assert (code, said.out) == (1, "")
    assert "\\udcf6" in said.err
    assert "nothing but UTF-8" in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("given", ["", "x", "../../x", "A0B1C2D3-0000-7000-8000-00000000000G"])
def test_a_run_s_name_that_is_no_id_is_not_taken(given, stopgap, monkeypatch):
    """The callback takes none of them either: what it recorded would not be found again."""
    asked = []
    monkeypatch.setenv("STOPGAP_RUN", given)
    stopgap("sync", run=lambda request, _listen: asked.append(request.run) or RunResult())
    assert uuid.UUID(asked[0]).version == 7
    monkeypatch.setenv("STOPGAP_RUN", "A0B1C2D3-0000-7000-8000-000000000001")
    stopgap("sync", run=lambda request, _listen: asked.append(request.run) or RunResult())
    assert asked[1] == "a0b1c2d3-0000-7000-8000-000000000001"
