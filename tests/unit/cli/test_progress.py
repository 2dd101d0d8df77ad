"""Nothing a host says may steer the terminal or break the display (P9)."""

import pytest

from stopgap.cli.progress import Progress, predictions, safe, show_result
from stopgap.engine.model import HostAnswered, RunRequest, RunResult, Said, StepStarted

HOSTILE = ["\x1b]0;owned\x07", "\x1b[2J", "[bold red]x[/]", "a\x00b", "\u202eevil", "x" * 100_000, "\x9b31m"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_and_bounded(text):
    shown = safe(text)
    assert len(shown) < 1000
    assert not set(shown) & {"\x1b", "\x00", "\x07", "\x9b", "\u202e"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_run_with_hostile_answers_is_shown(text, capsys):
    request = RunRequest("assess")
    with Progress(request) as progress:
        progress.take(StepStarted("Assess"))
        progress.take(HostAnswered("web1", "Assess", "x.assess", "failed", {"msg": text}, text))
    case = {"remedy": text, "state": text, "reason": text, "waiting_for": text, "met": False}
    show_result(request, RunResult(cases={"web1": [case]}, verdicts={"web1": "failed"}))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "1 failed" in out


def test_markup_of_a_host_is_shown_as_text(capsys):
    show_result(RunRequest("fix"), RunResult(failures={"web1": "[red]no[/]"}))
    assert "[red]no[/]" in capsys.readouterr().out


def test_hosts_with_the_same_trouble_are_told_in_one_line(capsys):
    result = RunResult(
        failures={"web2": "no", "web3": "other", "web1": "no"}, unreachable={"db2": "gone", "db1": "gone"}
    )
    show_result(RunRequest("fix"), result)
    assert capsys.readouterr().out.splitlines() == [
        "failed web1, web2: no",
        "failed web3: other",
        "unreachable db1, db2: gone (their cases are unknown; the others went on)",
        "5 hosts: no case; 5 of them not there yet",
    ]


def test_check_mode_says_that_nothing_was_changed(capsys):
    show_result(RunRequest("fix", check=True), RunResult())
    assert "nothing was changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("check", "told"), [(False, "2 changed, 1 ok, 1 failed"), (True, "2 would change, 1 ok, 1 failed")]
)
def test_a_step_tells_how_many_hosts_it_changed(check, told, capsys):
    """A second run is to be seen as one that changed nothing."""
    with Progress(RunRequest("mitigate", check=check)) as progress:
        progress.take(StepStarted("Apply"))
        for host, changed in (("web1", True), ("web2", "yes"), ("web3", True)):
            progress.take(HostAnswered(host, "Apply", "stopgap.remediation.mitigation", "ok", {"changed": changed}, ""))
        progress.take(HostAnswered("web4", "Apply", "x", "failed", {"changed": True, "msg": "no"}, ""))
    assert capsys.readouterr().out.splitlines()[-1] == f"  Apply: {told}"


@pytest.mark.parametrize(
    ("action", "shown"), [("stopgap.remediation.patch", True), ("stopgap.remediation.assess", False)]
)
@pytest.mark.parametrize("text", ["no way back", *HOSTILE])
def test_what_a_fix_warns_of_beforehand_is_shown_without_harm(text, action, shown, capsys):
    with Progress(RunRequest("fix")) as progress:
        progress.take(StepStarted("See whether the fix can be taken back"))
        progress.take(HostAnswered("web1", "See", action, "ok", {"warnings": [text]}, ""))
    out = capsys.readouterr().out
    assert ("WARNING" in out) is shown
    assert "\x1b" not in out
    assert len(out) < 2000


def test_warnings_that_are_no_list_are_none(capsys):
    with Progress(RunRequest("fix")) as progress:
        progress.take(HostAnswered("web1", "See", "stopgap.remediation.patch", "ok", {"warnings": "text"}, ""))
    assert "WARNING" not in capsys.readouterr().out


def test_warnings_beside_json_go_to_stderr(capsys):
    """Nothing else says that a run left no record."""
    with Progress(RunRequest("mitigate"), quiet=True) as progress:
        progress.take(StepStarted("Assess"))
        progress.take(Said("[WARNING]: stopgap ledger: part of this run is not recorded\x1b[2J"))
        progress.take(HostAnswered("web1", "Assess", "stopgap.remediation.assess", "ok", {}, ""))
    said = capsys.readouterr()
    assert said.out == ""
    assert "not recorded" in said.err
    assert "\x1b" not in said.err


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"state": "would_install", "reason": "would install nginx=2"}, "CVE-1: would install nginx=2"),
        ({"state": "would_install", "reason": "would restart nginx"}, "CVE-1: would restart nginx"),
        ({"state": "would_apply", "mitigation": "pin-limits"}, "CVE-1: would apply pin-limits"),
        ({"state": "would_lift"}, "CVE-1: would lift "),
        ({"state": "failed", "mitigation": "m", "reason": "x is locked"}, "CVE-1: would not be done: x is locked"),
        ({"state": "refused", "reason": "nginx: on hold"}, "CVE-1: would not be done: nginx: on hold"),
    ],
)
def test_what_would_change_or_would_not_be_done_is_said_once(said, told):
    assert list(predictions({"results": [{"remedy": "CVE-1", **said}]})) == [told]
