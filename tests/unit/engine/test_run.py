"""What goes to ansible-playbook, and what its events become."""

import re
import shlex
from io import StringIO
from types import SimpleNamespace

import pytest

from stopgap.engine import run as engine
from stopgap.engine.environment import prompts
from stopgap.engine.model import (
    Changed,
    ExitCode,
    HostAnswered,
    RunRequest,
    RunResult,
    Said,
    StepStarted,
    collect,
    reason_of,
)


def test_values_reach_ansible_as_single_words():
    request = RunRequest("fix", inventory=("a b.yml",), limit="web; rm -rf /", check=True, diff=True, forks=7)
    words = engine.command_line(request)
    assert words == ["-i", "a b.yml", "-l", "web; rm -rf /", "--check", "--diff", "-f", "7"]
    assert shlex.split(shlex.join(words)) == words


def test_host_key_checking_stays_on_unless_the_user_turned_it_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine.environment({})["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert engine.environment({"ANSIBLE_HOST_KEY_CHECKING": "False"})["ANSIBLE_HOST_KEY_CHECKING"] == "False"
    (tmp_path / "ansible.cfg").write_text("[defaults]\nhost_key_checking = no\n")
    assert engine.environment({})["ANSIBLE_HOST_KEY_CHECKING"] == "no"


def test_the_users_ansible_cfg_is_read_as_ansible_reads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITE", "/srv/site")
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\ncallbacks_enabled = timer ; slow ones\ncollections_path = $SITE/colls:./c ; ours\n"
        "host_key_checking = True\n[ssh_connection]\nhost_key_checking = False ; lab\n"
    )
    settings = engine.environment({})
    assert settings["ANSIBLE_CALLBACKS_ENABLED"] == "timer,stopgap.remediation.ledger"
    assert settings["ANSIBLE_COLLECTIONS_PATH"].endswith(f":/srv/site/colls:{tmp_path}/c")
    assert settings["ANSIBLE_HOST_KEY_CHECKING"] == "False"


def test_a_sites_collections_are_found_by_their_old_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_text("[defaults]\ncollections_paths = ./c\n")
    assert engine.environment({})["ANSIBLE_COLLECTIONS_PATH"].endswith(f":{tmp_path}/c")
    assert engine.environment({"ANSIBLE_COLLECTIONS_PATHS": "/d"})["ANSIBLE_COLLECTIONS_PATH"].endswith(":/d")


def test_p09_an_ansible_cfg_that_anybody_may_write_names_no_code_of_ours(tmp_path, monkeypatch):
    """Ansible leaves such a file alone, and would take what it names out of our environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\ncallbacks_enabled = site.own.code\ncollections_path = ./c\nhost_key_checking = False\n"
        "become_ask_pass = True\n"
    )
    tmp_path.chmod(0o777)
    settings = engine.environment({})
    assert settings["ANSIBLE_CALLBACKS_ENABLED"] == "stopgap.remediation.ledger"
    assert not settings["ANSIBLE_COLLECTIONS_PATH"].endswith("/c")
    assert settings["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert prompts({}, []) == []


@pytest.mark.parametrize("named", ["{0}/there", "{0}/there/ansible.cfg", "~/there", "$SITE/there"])
def test_ansible_config_may_name_a_folder(tmp_path, monkeypatch, named):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SITE", str(tmp_path))
    (tmp_path / "there").mkdir()
    (tmp_path / "there/ansible.cfg").write_text("[ssh_connection]\nssh_args = -J gate\n")
    assert "ANSIBLE_SSH_ARGS" not in engine.environment({"ANSIBLE_CONFIG": named.format(tmp_path)})


def test_an_ansible_config_that_is_not_there_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_text("[ssh_connection]\nssh_args = -J gate\n")
    assert "ANSIBLE_SSH_ARGS" not in engine.environment({"ANSIBLE_CONFIG": str(tmp_path / "nowhere")})


@pytest.mark.parametrize("content", [b"defaults]\nforks = 5\n", b"[defaults]\nforks\n", b"[defaults]\nforks = \xff\n"])
def test_of_a_broken_ansible_cfg_ansible_says_what_is_wrong(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_bytes(content)
    assert "ANSIBLE_FORKS" not in engine.environment({})


@pytest.mark.parametrize(
    ("config", "given", "words", "asked"),
    [
        ("", {}, [], []),
        ("", {}, ["--ask-pass", "-K"], ["SSH password", "BECOME password"]),
        ("[privilege_escalation]\nbecome_ask_pass = True ; sudo\n", {}, [], ["BECOME password"]),
        ("[defaults]\nask_pass = yes\nask_vault_pass = 1\n", {}, [], ["SSH password", "Vault password"]),
        ("[defaults]\nask_pass = yes\n", {"ANSIBLE_ASK_PASS": "false"}, [], []),
        ("", {"ANSIBLE_BECOME_ASK_PASS": "True"}, ["-K"], ["BECOME password"]),
        (
            "",
            {},
            ["--vault-id", "dev@prompt", "--vault-id=a@b@prompt"],
            ["Vault password (dev)", "Vault password (a@b)"],
        ),
        ("[defaults]\nvault_identity_list = dev@prompt, prod@file\n", {}, [], ["Vault password (dev)"]),
        ("", {}, ["-bkK"], ["SSH password", "BECOME password"]),
        ("", {}, ["-vJ", "-ukate", "-u", "kate", "--ask-become"], ["BECOME password", "Vault password"]),
        ("", {}, ["--vault-id", "@prompt", "-e", "prompt"], ["Vault password (default)"]),
        ("[defaults]\nvault_identity = ours\n", {}, ["--vault-id=prompt"], ["Vault password (ours)"]),
    ],
)
def test_what_ansible_will_ask_for_is_known_beforehand(tmp_path, monkeypatch, config, given, words, asked):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_text(config)
    assert prompts(given, words) == asked


def test_the_become_password_is_asked_for_by_the_name_we_know():
    """By the method's (`SUDO password`) nobody heard the question, and the verb waited for ever."""
    assert engine.environment({"ANSIBLE_AGNOSTIC_BECOME_PROMPT": "False"})["ANSIBLE_AGNOSTIC_BECOME_PROMPT"] == "True"


@pytest.mark.parametrize(
    ("printed", "errors", "told"),
    [
        (
            "[WARNING]: x\r\n[ERROR]: No file contents.\r\nNot found: /srv/a.yml\r\n",
            ["[ERROR]: No file contents."],
            "[ERROR]: No file contents.\nNot found: /srv/a.yml",
        ),
        (
            "ERROR: No home.\r\n\r\nTraceback (most recent call last):\r\n  File\r\nAnsibleError: No home.\r\n",
            ["ERROR: No home."],
            "ERROR: No home.",
        ),
        ("", ["[ERROR]: one", "[ERROR]: two"], "[ERROR]: one\n[ERROR]: two"),
        ("usage: ansible-playbook\r\n", [], "usage: ansible-playbook"),
        (" ", [], "ansible-playbook ended with exit code 4 and said nothing"),
    ],
)
def test_of_an_error_of_ansibles_own_all_is_told(printed, errors, told):
    runner = SimpleNamespace(stdout=StringIO(printed, newline=""), rc=4)
    assert engine._why(runner, RunResult(errors=errors)) == told


def test_the_ledger_callback_joins_the_ones_the_user_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\ncallbacks_enabled = ansible.posix.timer\ncollections_path = ./c\n"
    )
    settings = engine.environment({})
    assert settings["ANSIBLE_CALLBACKS_ENABLED"] == "ansible.posix.timer,stopgap.remediation.ledger"
    assert settings["ANSIBLE_COLLECTIONS_PATH"].endswith(f":{tmp_path}/c")


def test_a_debugger_that_nobody_could_answer_is_not_started(tmp_path, monkeypatch):
    """Of a host that fails it would ask what to do, for ever."""
    monkeypatch.chdir(tmp_path)
    assert engine.environment({"ANSIBLE_ENABLE_TASK_DEBUGGER": "True"})["ANSIBLE_ENABLE_TASK_DEBUGGER"] == "False"
    assert engine.environment({"ANSIBLE_STRATEGY": "debug"})["ANSIBLE_STRATEGY"] == "linear"
    (tmp_path / "ansible.cfg").write_text("[defaults]\nstrategy = ansible.builtin.debug\n")
    assert engine.environment({})["ANSIBLE_STRATEGY"] == "linear"
    assert "ANSIBLE_STRATEGY" not in engine.environment({"ANSIBLE_STRATEGY": "free"})


def test_nothing_secret_is_added_to_the_environment():
    assert not {key for key in engine.environment({}) if "PASS" in key or "URL" in key}


@pytest.mark.parametrize("callback", ["oneline", "no.such.callback"])
def test_what_ansible_would_print_with_is_not_our_concern(tmp_path, monkeypatch, callback):
    """ansible-runner would build upon it."""
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", callback)
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    dead = ("-e", "ansible_ssh_executable=/bin/false")
    request = RunRequest("assess", ("web1,",), variables={"stopgap_remedies": "CVE-2023-44487"}, passthrough=dead)
    result = engine.run(request, lambda _event: None)
    assert [*result.unreachable, *result.failures] == ["web1"]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", "no"),
        ("\r\nAre you sure you want to continue connecting (yes/no)? ", "no"),
        ("Enter passphrase for key '/home/ann/.ssh/id_ed25519': ", ""),
        ("Enter PIN for 'ann (PIV)': ", ""),
        ("SSH password: ", "typed"),
    ],
)
def test_what_ssh_asks_is_answered_with_no(monkeypatch, asked, answer):
    """Up to ansible-core 2.18 it asks on runner's terminal, where it waited for ever."""
    given = {}
    monkeypatch.setattr(engine.ansible_runner, "run", lambda **words: given.update(words) or SimpleNamespace(rc=0))
    engine.run(RunRequest("assess", passwords={r"^SSH password(\[.*\])?:\s*?$": "typed"}), lambda _event: None)
    assert [said for prompt, said in given["passwords"].items() if re.search(prompt, asked, re.M)] == [answer]


@pytest.mark.parametrize("verb", ["assess", "mitigate", "fix", "remediate", "verify", "lift", "recheck", "sync"])
def test_every_verb_has_its_playbook(verb):
    assert engine.playbook(verb).is_file()


def answered(host="web1", status="ok", action="stopgap.remediation.assess", **result):
    return HostAnswered(host, "Assess", action, status, result, "")


def test_translate_names_what_matters():
    raw = {"event": "runner_on_failed", "event_data": {"host": "web1", "task": "stopgap.remediation.remediate : Assess",
           "resolved_action": "stopgap.remediation.assess", "res": {"msg": "no"}}}  # fmt: skip
    assert list(engine.translate(raw)) == [answered(status="failed", msg="no")]
    start = {"event": "playbook_on_task_start", "event_data": {"task": "Assess"}}
    assert list(engine.translate(start)) == [StepStarted("Assess")]
    assert list(engine.translate({"event": "warning", "stdout": "[WARNING]: x"})) == [Said("[WARNING]: x")]
    diff = {"event": "runner_on_file_diff", "stdout": "+line", "event_data": {"host": "web1", "task": "x"}}
    assert list(engine.translate(diff)) == [Changed("web1", "+line")]
    assert list(engine.translate({"event": "playbook_on_stats"})) == []


def outcome(verdict, host="web1"):
    return answered(host, "ok" if verdict == "proven" else "failed", "stopgap.remediation.outcome", verdict=verdict)


@pytest.mark.parametrize(
    ("events", "return_code", "code"),
    [
        ([outcome("proven")], 0, ExitCode.PROVEN),
        ([outcome("failed")], 2, ExitCode.FAILED),
        ([outcome("unknown")], 2, ExitCode.UNKNOWN),
        ([outcome("proven"), answered("web2", "unreachable", msg="no route")], 4, ExitCode.UNKNOWN),
        ([outcome("failed"), answered("web2", "unreachable", msg="no route")], 4, ExitCode.FAILED),
        ([answered("web1", "failed", msg="sudo: a password is required")], 2, ExitCode.FAILED),
        ([], 1, ExitCode.ERROR),
        ([], 250, ExitCode.ERROR),
    ],
)
def test_exit_codes(events, return_code, code):
    result = collect(events, RunResult(return_code=return_code))
    assert result.exit_code() is code


NO_ANSWER = "Module result deserialization failed: No start of json char found"
TRACEBACK = 'Traceback (most recent call last):\n  File "x", line 1\nMemoryError: no more\n'


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"module_stderr": "python3: command not found\n\nNote: see help\n"}, "python3: command not found"),
        ({"module_stdout": "Killed\r\n", "module_stderr": "Shared connection to web1 closed.\r\n"}, "Killed"),
        ({"module_stderr": TRACEBACK}, "MemoryError: no more"),
        ({"module_stdout": "", "module_stderr": " \n"}, None),
        ({"module_stdout": ["a"], "module_stderr": 7}, None),
        ({}, None),
    ],
)
def test_where_a_module_gave_no_answer_it_is_told_what_the_host_said_instead(said, why):
    """Ansible's message alone names no cause."""
    failed = answered("web1", "failed", msg=NO_ANSWER, **said)
    told = f"{NO_ANSWER}; the host said: {why}" if why else NO_ANSWER
    assert collect([failed], RunResult()).failures == {"web1": f"Assess: {told}"}
    assert reason_of(failed).splitlines()[0] == told


def test_an_inventory_without_hosts_is_an_error_though_ansible_calls_it_success():
    assert RunResult(no_hosts=True, return_code=0).exit_code() is ExitCode.ERROR


def test_a_refused_choice_is_told_in_its_own_words_not_in_ansible_s():
    failed = answered("web1", "failed", "stopgap.remediation.remedies", msg="no remedy 'CVE-1'")
    result = collect([failed], RunResult(return_code=2))
    assert result.refused == "no remedy 'CVE-1'"
    assert not result.unexplained()
    assert result.exit_code() is ExitCode.ERROR
    assert RunResult(return_code=1).unexplained()


def test_a_host_that_falls_silent_in_the_middle_is_given_up(tmp_path, monkeypatch):
    """TCP alone waits for hours, and the whole fleet with it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = shlex.split(engine.environment({})["ANSIBLE_SSH_ARGS"])
    assert {"ServerAliveInterval=15", "ServerAliveCountMax=4", "ControlMaster=auto", "ControlPersist=60s"} < set(words)
    assert engine.environment({"ANSIBLE_SSH_ARGS": "-C"})["ANSIBLE_SSH_ARGS"] == "-C"
    (tmp_path / "ansible.cfg").write_text("[defaults]\nforks = 5\n")
    assert "ANSIBLE_SSH_ARGS" not in engine.environment({})


def test_a_dry_run_judges_nobody():
    """Ansible skips the judging step then; a failure before it was rescued."""
    skipped = answered("web1", "skipped", "stopgap.remediation.outcome", skip_reason="Conditional result was False")
    result = collect([answered("web1", "failed", msg="no"), skipped], RunResult())
    result.settle()
    assert (result.verdicts, result.cases, result.failures) == ({}, {}, {})
    assert result.exit_code() is ExitCode.PROVEN


def test_a_host_that_was_stopped_with_another_is_told():
    """By any_errors_fatal, say: what was done to it by then would be told nowhere."""
    mitigated = [answered(host, "ok", "stopgap.remediation.mitigation", changed=True) for host in ("web1", "web2")]
    failed = answered("web3", "failed", "stopgap.remediation.mitigation", msg="no room")
    result = collect([*mitigated, failed, outcome("proven", "web2")], RunResult(return_code=2))
    result.settle()
    ended = "Assess: the play was ended here before it came to a verdict: run this again"
    assert result.failures == {"web1": ended, "web3": "Assess: no room"}
    broken = collect(mitigated, RunResult(return_code=1))
    broken.settle()
    assert broken.unexplained()  # what Ansible printed is told


def test_where_nobody_knows_the_home_there_is_no_configuration_in_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "~")  # as it is expanded where there is none: a container's user without an entry
    monkeypatch.chdir(tmp_path)
    assert engine.environment({})["ANSIBLE_HOST_KEY_CHECKING"] == "True"
