"""What is about a host is never asked of the controller: Ansible runs modules there for switches and the like."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap import remediation

TOP = Path(__file__).parents[3]
COLLECTION = Path(next(iter(remediation.__path__)))
ON_HOST = ("assess", "attestation", "journal_info", "mitigation", "patch", "rollback")

REMEDY = "CVE-2023-44487"
CHOSEN = ("-e", f"stopgap_remedies={REMEDY} ansible_become=false")


def names(kind):
    return {path.stem for path in (COLLECTION / "plugins" / kind).glob("*.py")}


def test_every_module_has_an_action_that_knows_where_it_runs():
    """Without one Ansible's own would run it wherever the connection says."""
    assert names("modules") == names("action")


@pytest.fixture
def play(tmp_path):
    def run(*words, connection="site_device"):
        here = {"ansible_connection": connection, "ansible_python_interpreter": sys.executable}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"switch": here}}}))
        inventory = () if words[0] == "stopgap" else ("-i", tmp_path / "hosts.yml")
        return subprocess.run(
            [Path(sys.executable).parent / words[0], *words[1:], *inventory],
            cwd=TOP,
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"),
                "ANSIBLE_CONNECTION_PLUGINS": str(TOP / "tests/connection_plugins"),
                "ANSIBLE_NOCOLOR": "1",
                "STOPGAP_STATE_DIR": str(tmp_path / "state"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_p04_the_controller_never_answers_for_a_device(play, tmp_path):
    """Without a word it did, and would have got the mitigation as well."""
    tasks = [
        {f"stopgap.remediation.{name}": {} if name == "journal_info" else {"remedies": []}, "ignore_unreachable": True}
        for name in ON_HOST
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = play("ansible-playbook", str(tmp_path / "play.yml"))
    assert done.stdout.count("UNREACHABLE!") == len(ON_HOST), done.stdout
    assert "site_device runs modules on the controller, not on switch" in done.stdout


@pytest.mark.parametrize(("asked", "fails"), [("other", True), ("switch", False), ("{{ inventory_hostname }}", False)])
def test_p04_no_host_answers_for_the_one_that_delegates_to_it(asked, fails, play, tmp_path):
    """A mitigation that a loop over `delegate_to` put in force was localhost's in the ledger."""
    task = {"stopgap.remediation.assess": {"remedies": []}, "delegate_to": asked}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    done = play("ansible-playbook", str(tmp_path / "play.yml"), connection="local")
    assert ("delegate_to asks other" in done.stdout + done.stderr, done.returncode) == (fails, 2 if fails else 0), done
    assert ("make other a host of the play" in done.stdout) is fails


def test_p04_its_case_is_unknown(play):
    done = play("ansible-playbook", "playbooks/assess.yml", *CHOSEN)
    assert (done.returncode, "unreachable=1" in done.stdout) == (4, True), done.stdout
    told = play("stopgap", "status", "--json")
    assert '"state": "unknown"' in told.stdout
    assert "on the controller" in told.stdout


LISTENING = """import syslog
syslog.syslog = lambda *said: open({log!r}, "a").write(repr(said))
"""


def test_what_a_remedy_holds_is_in_no_syslog_whoever_calls_the_module(play, tmp_path):
    """The role says so to Ansible; a play of a site's own, as in the modules' examples, does not."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(LISTENING.format(log=str(tmp_path / "log")))
    (tmp_path / "python").write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/site exec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    secret = {"id": "CVE-1", "revision": 1, "affected": {"packages": [], "when": []}, "mitigations": ["hunter2"]}
    tasks = [
        {"stopgap.remediation.assess": {"remedies": [secret]}, "ignore_errors": True},
        {"ansible.builtin.ping": {}},
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    words = ("-e", f"ansible_python_interpreter={tmp_path}/python")
    done = play("ansible-playbook", str(tmp_path / "play.yml"), *words, connection="local")
    told = (tmp_path / "log").read_text()
    assert "pong" in told, done.stdout
    assert "hunter2" not in told


def test_a_host_is_asked_itself_and_its_answer_recorded(play):
    play("ansible-playbook", "playbooks/assess.yml", *CHOSEN, connection="local")
    (case,) = json.loads(play("stopgap", "status", "--json").stdout)["cases"]
    assert case["remedy"] == REMEDY
    assert "unreachable" not in case["reason"]
