"""How a verb ends where its play did not come to its own end."""

import json
import sys

import pytest

from stopgap.cli.main import main
from stopgap.engine import run as engine
from stopgap.engine.model import RunResult


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
