"""What the role says to Ansible itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap import remediation
from ansible_collections.stopgap.remediation.plugins.plugin_utils.choice import WORDS, batches, refuse_nonsense

ROLE = Path(next(iter(remediation.__path__))) / "roles/remediate"


def test_remedies_do_not_go_to_the_hosts_syslog():
    """Modules log their arguments there, with the content of files that not everybody may read."""
    assert yaml.safe_load((ROLE / "vars/main.yml").read_text())["ansible_no_target_syslog"] is True


def play(state, playbook, *words):
    top = Path(__file__).parents[3]
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", playbook, *words],
        cwd=top,
        env=os.environ | {"ANSIBLE_CONFIG": str(top / "ansible.cfg"), "STOPGAP_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["stopgap_extend=14d"], "stopgap_extend gives a mitigation more time: set stopgap_reason, it is recorded"),
        (["stopgap_extend=14 days", "stopgap_reason=window"], "write a number and h, d or w, such as 12h, 14d, 4w"),
        (["stopgap_reboot=yes"], "value of stopgap_reboot must be one of: never, allow, got: yes"),
        (["stopgap_rollback=Auto"], "value of stopgap_rollback must be one of: auto, ask, never, got: Auto"),
        (["stopgap_verify_timeout=30s"], "argument 'stopgap_verify_timeout' is of type"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_host_is_touched(given, says, tmp_path):
    """The inventory's only host does not exist: whoever asked it would hear that it is unreachable."""
    words = [word for one in ["stopgap_remedies=CVE-2023-44487", *given] for word in ("-e", one.replace(" ", "\\ "))]
    code, said = play(tmp_path, "playbooks/recheck.yml", "-i", "nobody.invalid,", *words)
    assert code == 2, said
    assert says in said
    assert "unreachable=0" in said
    assert not list(tmp_path.glob("spool/*"))


ROLE_ON_ONE_HOST = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: stopgap.remediation.remediate, tasks_from: assess}
      vars: {stopgap_mode: assess, stopgap_remedies: CVE-2023-44487}
      when: inventory_hostname == "second"
"""


ROLE_BY_STRATEGY = """
- hosts: all
  gather_facts: false
  strategy: %s
  tasks:
    - ansible.builtin.import_role: {name: stopgap.remediation.remediate, tasks_from: assess}
      vars: {stopgap_mode: assess, stopgap_remedies: CVE-2023-44487}
"""


def test_a_host_for_which_nothing_was_chosen_is_not_called_proven(tmp_path):
    """`import_role` hands its condition to each task, and of one that runs once only the first host is asked for it."""
    (tmp_path / "play.yml").write_text(ROLE_ON_ONE_HOST)
    code, said = play(tmp_path, tmp_path / "play.yml", "-i", "first,second", "-c", "local")
    assert code == 2, said
    assert "no remedies were chosen: that is done once for all hosts" in said


def test_a_step_in_the_middle_proves_nothing(tmp_path):
    start = ["--start-at-task", "Say where every case stands", "-e", "stopgap_remedies=CVE-2023-44487"]
    code, said = play(tmp_path, "playbooks/verify.yml", "-i", "first,second", "-c", "local", *start)
    assert code == 2, said
    assert "no remedies were chosen" in said


GROUPS = """
all:
  vars: {ansible_host: 127.0.0.1, ansible_port: 1}
  children:
    web: {hosts: {web1: {}}, vars: {stopgap_remedies: CVE-2023-44487}}
    mail: {hosts: {mail1: {}}, vars: {stopgap_remedies: [CVE-2024-6387, CVE-2023-44487]}}
    login: {hosts: {login1: {}}, vars: {stopgap_remedies: [CVE-2023-44487]}}
"""


def test_a_group_that_asks_for_other_remedies_is_not_asked_for_the_first_ones(tmp_path):
    (tmp_path / "hosts.yml").write_text(GROUPS)
    code, said = play(tmp_path, "playbooks/assess.yml", "-i", tmp_path / "hosts.yml")
    assert code, said
    assert "stopgap_remedies is CVE-2024-6387, CVE-2023-44487 on this host and CVE-2023-44487 on the first one" in said
    assert [said.count("unreachable=1"), said.count("failed=1")] == [2, 1]


def two_hosts(tmp_path, first=None, second=None):
    """Nobody answers for either: whoever is asked is unreachable."""
    nowhere = {"ansible_host": "127.0.0.1", "ansible_port": 1, "stopgap_remedies": "CVE-2023-44487"}
    hosts = {"first": first or {}, "second": second or {}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": nowhere}}))
    return "-i", tmp_path / "hosts.yml"


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"stopgap_tests": ["db.py"]}, "stopgap_tests is ['db.py'] on this host and [] on the first one"),
        ({"stopgap_extend": "14d", "stopgap_reason": "x"}, "stopgap_extend is '14d' on this host and '' on"),
        ({"stopgap_rollback": "Auto"}, "stopgap_rollback is 'Auto' on this host: it is one of auto, ask, never"),
        ({"stopgap_reboot": True}, "stopgap_reboot is True on this host: it is one of never, allow"),
        ({"stopgap_reboot_timeout": "10m"}, "stopgap_reboot_timeout is '10m' on this host: it is a number of seconds"),
    ],
)
def test_variables_of_a_host_that_is_not_the_first_are_looked_at_before_it_is_asked(own, says, tmp_path):
    """It had a fix installed, or was proven by the first host's tests, before anybody looked."""
    code, said = play(tmp_path, "playbooks/recheck.yml", *two_hosts(tmp_path, second=own))
    assert code, said
    assert says in said
    assert [said.count("unreachable=1"), said.count("failed=1")] == [1, 1]


def test_variables_may_differ_where_each_host_has_its_own(tmp_path):
    own = {"stopgap_reboot": "allow", "stopgap_rollback": "auto", "stopgap_reboot_timeout": "900"}
    code, said = play(tmp_path, "playbooks/recheck.yml", *two_hosts(tmp_path, second=own))
    assert (code, said.count("unreachable=1")) == (4, 2), said


def test_words_are_those_of_the_roles_specification():
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    own = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__remediate_own"]
    assert {name: sorted(words) for name, words in WORDS.items()} == {
        name: sorted(options[name]["choices"]) for name in own if "choices" in options[name]
    }
    for name in own:
        refuse_nonsense(name, options[name]["default"])


@pytest.mark.parametrize("reason", [None, "", " "])
def test_p02_a_host_that_its_own_variables_force_needs_a_reason_too(reason, tmp_path):
    """Only the first host was asked for one; the others were lifted, with 'fix proven in effect' for a reason."""
    forced = {"stopgap_force": True} | ({} if reason is None else {"stopgap_reason": reason})
    code, said = play(tmp_path, "playbooks/lift.yml", *two_hosts(tmp_path, second=forced))
    assert code, said
    assert "stopgap_force lifts without proof: set stopgap_reason" in said
    assert [said.count("unreachable=1"), said.count("failed=1")] == [1, 1]


def test_a_reason_may_be_the_number_of_a_ticket(tmp_path):
    forced = {"stopgap_force": True, "stopgap_reason": 4711}
    code, said = play(tmp_path, "playbooks/lift.yml", *two_hosts(tmp_path, forced, forced))
    assert (code, said.count("unreachable=1")) == (4, 2), said


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.host_pinned", "linear"])
def test_a_strategy_in_which_each_host_runs_by_itself_is_refused(strategy, tmp_path):
    """Ansible has no `run_once` then: each host would choose, and prove all others in the middle of their steps."""
    (tmp_path / "play.yml").write_text(ROLE_BY_STRATEGY % strategy)
    here = ["-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    code, said = play(tmp_path, tmp_path / "play.yml", "-i", "first,second", *here, "--check")
    refused = f"the strategy {strategy} is not for this role" in said
    assert refused is (strategy != "linear"), said
    assert (code == 0) is ("Assess" in said) is not refused


LYING = """#!/bin/sh
told=$({python} "$@")
case "$told" in
*'"assessments"'*) printf '%s' "$told" | sed 's|{{|{{"ansible_facts": {said}, "ansible_stats": {{"data": {said}}}, |' ;;
*) printf '%s\\n' "$told" ;;
esac
"""


def test_p09_no_host_says_what_the_role_does(tmp_path, monkeypatch):
    """What a module returns as facts outweighs the inventory, and what runs once goes by the first host's.

    What it returns as statistics is an extra variable in the next step of an AWX workflow.
    """
    monkeypatch.setenv("ANSIBLE_SHOW_CUSTOM_STATS", "1")
    theirs, ours = tmp_path / "test_theirs.py", tmp_path / "test_ours.py"
    for path in (theirs, ours):
        path.write_text(f"open({str(path.with_suffix('.ran'))!r}, 'w')\n\ndef test_it(host):\n    pass\n")
    (tmp_path / "python").write_text(
        LYING.format(python=sys.executable, said=json.dumps({"stopgap_tests": [str(theirs)]}))
    )
    (tmp_path / "python").chmod(0o755)
    hosts = {"first": {"ansible_python_interpreter": str(tmp_path / "python")}, "second": {}}
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    told = {**here, "stopgap_remedies": "CVE-2023-44487", "stopgap_tests": [str(ours)]}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": told}}))
    _code, said = play(tmp_path / "state", "playbooks/verify.yml", "-i", tmp_path / "hosts.yml")
    assert "failed=1" not in said
    assert "CUSTOM STATS" not in said
    assert (theirs.with_suffix(".ran").exists(), ours.with_suffix(".ran").exists()) == (False, True), said


@pytest.mark.parametrize("empty", ["''", "!unsafe ''"])
def test_what_a_survey_leaves_empty_was_not_said(empty, tmp_path):
    """As extra variables come from AWX, too; ansible-core reads its `!unsafe ''` as null."""
    names = ("attest", "remedy_path", "tests", "reason", "owner", "mitigation", "extend")
    (tmp_path / "survey.yml").write_text("".join(f"stopgap_{name}: {empty}\n" for name in names))
    words = ["-e", "stopgap_remedies=CVE-2023-44487", "-e", f"@{tmp_path}/survey.yml"]
    code, said = play(tmp_path, "playbooks/recheck.yml", "-i", "nobody.invalid,", *words)
    assert code == 4, said  # the host was asked


@pytest.mark.parametrize("empty", ["''", "!unsafe ''"])
def test_no_remedy_is_told_as_such(empty, tmp_path):
    (tmp_path / "survey.yml").write_text(f"stopgap_remedies: {empty}\n")
    code, said = play(tmp_path, "playbooks/assess.yml", "-i", "nobody.invalid,", "-e", f"@{tmp_path}/survey.yml")
    assert (code, "no remedy chosen: set stopgap_remedies" in said) == (2, True), said


@pytest.mark.parametrize("empty", ["''", "!unsafe ''", "!unsafe ' '"])
def test_p02_a_reason_that_a_survey_leaves_empty_lifts_nothing(empty, tmp_path):
    (tmp_path / "survey.yml").write_text(f"stopgap_force: !unsafe 'true'\nstopgap_reason: {empty}\n")
    words = ["-e", "stopgap_remedies=CVE-2023-44487", "-e", f"@{tmp_path}/survey.yml"]
    code, said = play(tmp_path, "playbooks/lift.yml", "-i", "nobody.invalid,", *words)
    assert (code, "set stopgap_reason" in said) == (2, True), said


def test_no_tests_are_not_those_of_the_current_folder():
    """Ansible makes the folder it stands in of an empty path."""
    steps = [task for file in (ROLE / "tasks/steps").glob("*.yml") for task in yaml.safe_load(file.read_text())]
    given = [step["stopgap.remediation.verify"]["tests"] for step in steps if "stopgap.remediation.verify" in step]
    assert given
    assert set(given) == {"{{ stopgap_tests or [] }}"}


@pytest.mark.parametrize("serial", ["some", "[1, 5]"])
def test_a_batch_that_is_no_number_of_hosts_is_one_sentence(serial, tmp_path):
    words = ["-e", "stopgap_remedies=CVE-2023-44487", "-e", json.dumps({"stopgap_serial": serial})]
    code, said = play(tmp_path, "playbooks/assess.yml", "-i", "nobody.invalid,", *words)
    assert code, said
    assert f"stopgap_serial is '{serial}': write a number of hosts" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value", "play_has"), [("serial", "1", "100%"), ("serial", "[1, 50%]", "100%"), ("hosts", "web", "all")]
)
def test_what_only_the_play_can_say_is_refused_in_the_inventory(name, value, play_has, tmp_path):
    """Ansible has read it by then: the whole fleet would be worked on at once."""
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{nobody.invalid: }}, vars: {{stopgap_{name}: {value}}}}}")
    words = ["-i", tmp_path / "hosts.yml", "-e", "stopgap_remedies=CVE-2023-44487"]
    code, said = play(tmp_path, "playbooks/fix.yml", *words)
    assert code == 2, said
    assert f"stopgap_{name} is {value.strip('[]')} here, and the play's {name} is {play_has}" in said
    assert "unreachable=0" in said


def test_what_only_the_play_can_say_is_heard_as_an_extra_variable(tmp_path):
    told = {"stopgap_hosts": "{{ mine }},!second", "mine": "nobody.invalid", "stopgap_serial": [1, "50%"]}
    words = ["-e", "stopgap_remedies=CVE-2023-44487", "-e", json.dumps(told)]
    _code, said = play(tmp_path, "playbooks/assess.yml", "-i", "nobody.invalid,second", *words)
    assert said.count("UNREACHABLE") == 1, said


@pytest.mark.parametrize("serial", ["", [1, "50%"]])
def test_batches_as_ansible_has_them(serial, tmp_path):
    words = ["-e", "stopgap_remedies=CVE-2023-44487", "-e", json.dumps({"stopgap_serial": serial})]
    _code, said = play(tmp_path, "playbooks/assess.yml", "-i", "nobody.invalid,", *words)
    assert "UNREACHABLE" in said, said  # the host was asked


@pytest.mark.parametrize("serial", ["-1", "50 %", "1.5", [], [1, "x"], None, "5\n"])
def test_what_is_no_batch(serial):
    with pytest.raises(ValueError, match="write a number of hosts"):
        batches(serial)


ROLE_WITH_TASK_FILES = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: %s/tasks/steps/%s.yml
"""
SITES_OWN = """
- name: Work
  ansible.builtin.debug: {msg: "{{ stopgap_task_vars.port }} of {{ __remediate_pending.entry }}"}
- ansible.builtin.meta: end_host
"""


@pytest.mark.parametrize(
    ("steps", "told"), [("apply", "__remediate_apply_files"), ("lift", "__remediate_revert_files")]
)
def test_the_hosts_of_a_batch_run_a_task_file_together(steps, told, tmp_path):
    """Each has an entry of its own, and Ansible takes hosts together where the item of a loop is the same."""
    (tmp_path / "play.yml").write_text(ROLE_WITH_TASK_FILES % (ROLE, steps))
    (tmp_path / "work.yml").write_text(SITES_OWN)
    task = {"remedy": "CVE-1", "action": 0, "phase": "apply", "file": str(tmp_path / "work.yml"), "check": None}
    hosts = {name: {"own": dict(task, entry=f"entry-{name}", vars={"port": "631"})} for name in ("a", "b", "c")}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": here}}))
    extra = json.dumps({told: "{{ [own] }}", "__remediate_bare": [], "__remediate_done": []})
    code, said = play(tmp_path, tmp_path / "play.yml", "-i", tmp_path / "hosts.yml", "-e", extra)
    assert code == 0, said
    assert said.count("Work]") == 1, said
    assert [f"631 of entry-{name}" in said for name in hosts] == [True, True, True], said
