"""A run outlives its output: what cannot be shown any more must not leave hosts half done."""

import json
import os
import pty
import sys

import pytest

from stopgap.cli.main import main
from stopgap.engine import run as engine
from stopgap.engine.model import HostAnswered, RunResult, Said, StepStarted

CASE = {"remedy": "CVE-2023-44487", "state": "exposed", "reason": "old", "waiting_for": None, "met": True}


def pipe_without_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", encoding="utf-8", buffering=1)


def full_disk():
    return open("/dev/full", "w", encoding="utf-8", buffering=1)


def lost_terminal():
    ours, theirs = pty.openpty()
    os.close(ours)
    return open(theirs, "w", encoding="utf-8", buffering=1)


def closed():
    return None


@pytest.fixture
def assess(monkeypatch, tmp_path):
    """`stopgap assess` in whose course things are told; how it ended, and whether the run came to its end."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))

    def play(out, *words):
        ended = []

        def run(_request, listen):
            for step in ("Choose the remedies", "Assess"):
                listen(StepStarted(step))
                listen(Said("[WARNING]: of something"))
                listen(HostAnswered("web1", step, "stopgap.remediation.assess", "ok", {}, ""))
            ended.append(True)
            return RunResult(cases={"web1": [CASE]}, verdicts={"web1": "proven"})

        monkeypatch.setattr(engine, "run", run)
        monkeypatch.setattr(sys, "argv", ["stopgap", "assess", "CVE-2023-44487", "-i", "web1,", *words])
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as end:
                main()
        if out and out is not sys.stdout:
            out.close()  # what it still holds is no trouble either
        return end.value.code, ended

    return play


@pytest.mark.parametrize("words", [[], ["--json"], ["-vvv"]])
@pytest.mark.parametrize("out", [pipe_without_reader, full_disk, lost_terminal, closed])
def test_a_run_goes_on_without_its_output(out, words, assess):
    assert assess(out(), *words) == (0, [True])


def test_what_could_not_be_written_is_told_on_stderr(assess, capsys):
    assess(full_disk())
    assert capsys.readouterr().err == "stopgap: standard output: No space left on device; the run went on without it\n"


def test_whoever_closes_a_pipe_is_told_nothing(assess, capsys):
    assess(pipe_without_reader())
    assert capsys.readouterr().err == ""


def test_a_terminal_without_our_letters_ends_no_run(assess, tmp_path):
    with open(tmp_path / "out", "w", encoding="latin-1") as out:
        out.isatty = lambda: True
        assert assess(out) == (0, [True])
    assert "1 exposed" in (tmp_path / "out").read_text("latin-1")


def test_json_is_whole_and_the_only_thing_on_stdout(assess, capsys):
    assess(sys.stdout, "--json")
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
