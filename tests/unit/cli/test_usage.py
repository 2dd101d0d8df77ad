"""Bad input on the command line: one sentence with the way out, exit code 1, nothing run."""

import subprocess
import sys

import pytest
from tests import typed

from stopgap.cli import verbs
from stopgap.cli.main import COMMANDS

NO_UTF8 = "web\udcff"  # as Python has a byte of the command line that is none


def stopgap(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "stopgap", *words], capture_output=True, text=True, check=False, **more
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mitigate"], "which remedy?"),
        (["nonsense"], "nonsense"),
        (["fix", "CVE-2023-44487", "-i", "absent.yml"], "inventory absent.yml does not exist"),
        (["fix", "CVE-2023-44487", "-i", ""], "--inventory is empty"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", ""], "--limit is empty"),
        (["recheck", "--due", "-i", "web1,", "-l", " "], "--limit is empty"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", " , "], "--limit is empty"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", "@blank"], "--limit: blank names no host"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", "!web2,@blank"], "--limit: blank names no host"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", "@blank @blank"], "--limit: blank, blank names no host"),
        (["fix", "CVE-2023-44487", "-i", "web1,", "-l", "["], "--limit is empty"),
        (["lift", "CVE-2023-44487", "--force"], "--force needs --reason"),
        (["fix", "CVE-2023-44487", "--attest", "rekey"], "--attest needs --reason"),
        (["mitigate", "CVE-2023-44487", "--attest", "rekey", "--reason", "x"], "goes with a verb that proves a fix"),
        (["recheck", "--extend", "14d"], "--extend needs --reason"),
        (  # what an option says is text: nothing of it is run
            ["recheck", "-i", "nobody.invalid,", "--extend", "{{ 7 * 2 }} days", "--reason", "{% x"],
            "stopgap_extend is '{{ 7 * 2 }} days'",
        ),
        (["recheck", "--at-most", "5"], "--at-most goes with recheck --due"),
        (["verify", "--extend", "14d", "--reason", "x"], "--extend goes with recheck"),
        (["fix", "CVE-2023-44487", "--conffiles", "maybe"], "maybe"),
        (["fix", "--no-such-option"], "--no-such-option"),
        (["remedy", "test", "CVE-1999-9999"], "no remedy 'CVE-1999-9999'"),
        (["remedy", "test", "absent.yml"], "absent.yml: No such file"),
        (
            ["remedy", "test", "CVE-2023-44487", "--suite", "potato"],
            "cannot be tried on potato: choose one of debian-11",
        ),
        (["remedy", "new", "CVE-2023-44487", "--from", "absent.json"], "absent.json: No such file"),
        (["remedy", "new", "cve/../x"], "is no id of a remedy"),
        (["accept", "web1", "CVE-1", "--until", "14d"], "--why"),
        (["risk", "explain", "web1"], "CVE"),
        (["debt", "--fail-on", "never"], "--fail-on"),
        (["status", "--limit", "many"], "--limit"),
        (["status", "--limit", f"{2**63}"], "--limit"),
        (["debt", "--limit", f"{2**63}"], "--limit"),
        (["status", "--host", NO_UTF8], "is not UTF-8"),
        (["status", "--by-risk", "--remedy", NO_UTF8], "is not UTF-8"),
        (["debt", "--json", "--estate", NO_UTF8], "is not UTF-8"),
        (["measures", "--remedy", NO_UTF8], "is not UTF-8"),
        (["accept", "web1", "CVE-1", "--until", "14d", "--why", "x", "--estate", NO_UTF8], "is not UTF-8"),
        (["risk", "explain", NO_UTF8, "CVE-1"], "is not UTF-8"),
        (["risk", "explain", "web1", "CVE-1", "--estate", NO_UTF8], "is not UTF-8"),
        (["ledger", "retire", NO_UTF8, "--reason", "x"], "is not UTF-8"),
    ],
)
def test_usage_errors(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blank").write_text(" \n\n")
    done = typed.stopgap(*words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--conffiles", "keep"], {"stopgap_conffiles": "keep"}),
        (["--rollback", "ask", "--reboot", "never"], {"stopgap_rollback": "ask", "stopgap_reboot": "never"}),
    ],
)
def test_an_option_wins_over_the_inventory_also_with_the_value_of_the_default(words, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(verbs, "run_verb", lambda request, **_: asked.append(request) or 0)
    typed.stopgap("fix", "CVE-2023-44487", *words)
    assert asked[0].variables == {"stopgap_remedies": ["CVE-2023-44487"], **given}


def test_a_password_that_nobody_can_be_asked_for_is_told(tmp_path):
    """As in cron, where ansible.cfg has become_ask_pass: there was nothing but the question."""
    words = ["assess", "all", "-i", "nobody.invalid,", "-K"]
    done = stopgap(*words, stdin=subprocess.DEVNULL, start_new_session=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "nobody answered 'BECOME password'" in done.stderr


def test_version():
    assert stopgap("--version").stdout.startswith("stopgap 0.")


def test_help_lists_every_verb():
    text = stopgap("--help").stdout
    for verb in ("assess", "mitigate", "fix", "remediate", "verify", "lift", "recheck", "sync", "status", "debt"):
        assert verb in text


@pytest.mark.parametrize("group", [name for name, (_module, attribute) in COMMANDS.items() if attribute == "app"])
def test_no_group_offers_completion_that_the_command_does_not_speak(group):
    assert "completion" not in typed.stopgap(group, "--help").stdout
