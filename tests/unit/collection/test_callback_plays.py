"""The callback in real runs of ansible-playbook: our names on modules that answer what the play says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[3]
PLUGINS = TOP / "collections/ansible_collections/stopgap/remediation/plugins"
CALLBACK = "stopgap.remediation.ledger"

MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
spec = {"remedies": {"type": "list"}, "say": {"type": "dict"}, "fail": {"type": "str"}}
spec.update({name: {"type": "str"} for name in ("extend", "reason")})
module = AnsibleModule(spec, supports_check_mode=True)
if module.params["fail"]:
    module.fail_json(msg=module.params["fail"])
module.exit_json(**module.params["say"])
"""
ACTION = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        return dict(self._task.args["say"])
"""
REMEDIES = [{"id": "CVE-1", "revision": 2}]
EXPOSED = {
    "assessments": [{"remedy": "CVE-1", "state": "exposed", "code": "below_fixed", "reason": "1 < 2", "evidence": {}}]
}
CHOOSE = {"stopgap.remediation.remedies": {"say": {"remedies": REMEDIES}}, "run_once": True}
ASSESS = {"stopgap.remediation.assess": {"remedies": REMEDIES, "say": EXPOSED}}


@pytest.fixture(scope="module")
def collections(tmp_path_factory):
    """Our callback with its helpers, and beside it modules of the same names that say what they are told."""
    top = tmp_path_factory.mktemp("collections")
    plugins = top / "ansible_collections/stopgap/remediation/plugins"
    for kind in ("callback", "plugin_utils"):
        shutil.copytree(PLUGINS / kind, plugins / kind, ignore=shutil.ignore_patterns("__pycache__"))
    (plugins / "modules").mkdir()
    (plugins / "action").mkdir()
    for name in ("assess", "mitigation", "patch", "journal_info", "remedies", "verify"):
        (plugins / "modules" / f"{name}.py").write_text(MODULE)
    for name in ("remedies", "verify"):
        (plugins / "action" / f"{name}.py").write_text(ACTION)
    return top


@pytest.fixture
def play(collections, tmp_path):
    def run(*tasks, words=(), environ=None, hosts="hosts.yml", **play):
        book = [{"hosts": "all", "gather_facts": False, "tasks": list(tasks), **play}]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(book))
        (tmp_path / hosts).write_text(yaml.safe_dump(inventory()))
        (tmp_path / "group_vars").mkdir(exist_ok=True)
        (tmp_path / "group_vars/all.yml").write_text("stopgap_estate: lab\n")
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", hosts, "play.yml", *words]
        environ = environment(collections, tmp_path) | (environ or {})
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    return run


def inventory():
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"hosts": {"web1": here, "web2": {**here, "stopgap_estate": "other"}}}}


def environment(collections, tmp_path):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "STOPGAP", "MOLECULE"))
    }
    return kept | {
        "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CALLBACKS_ENABLED": CALLBACK,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "STOPGAP_STATE_DIR": str(tmp_path / "state"),
        "STOPGAP_DELIVER": "false",
        "LOGNAME": "ann",
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONPATH": str(TOP / "src"),
    }


@pytest.fixture
def spooled(tmp_path):
    def read():
        files = sorted((tmp_path / "state/spool").glob("*.jsonl"))
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    return read


def short(events):
    return sorted((one["host"], one["remedy"], one["kind"], one["verdict"]) for one in events)


def test_a_play_leaves_its_record(play, spooled):
    history = [{"state": state, "at": "2026-11-21T17:00:00.000000Z"} for state in ("intended", "applied")]
    entry = {
        "remedy": "CVE-1",
        "revision": 2,
        "mitigation": "m",
        "state": "applied",
        "entry": "E-1",
        "history": history,
    }
    answer = {
        "remedy": "CVE-1",
        "revision": 2,
        "phase": "mitigation",
        "mitigation": "m",
        "verdict": "pass",
        "checks": [],
    }
    done = play(
        CHOOSE,
        ASSESS,
        {"stopgap.remediation.mitigation": {"remedies": REMEDIES, "say": {"results": [entry]}}},
        {
            "stopgap.remediation.verify": {"say": {"results": {"web1": [answer], "web2": [answer]}}},
            "run_once": True,
            "register": "v",
        },
        {"ansible.builtin.debug": {"var": "v"}},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = spooled()
    assert short(told) == sorted(
        (host, "CVE-1", *said)
        for host in ("web1", "web2")
        for said in [
            ("assessed", "exposed"),
            ("mitigation", "intended"),
            ("mitigation", "applied"),
            ("verified", "pass"),
        ]
    )
    assert {(one["host"], one["estate"]) for one in told} == {("web1", "lab"), ("web2", "other")}
    assert {one["evidence"]["entry"] for one in told if one["kind"] in ("mitigation", "verified")} == {"E-1"}
    assert {one["origin"] for one in told} == {"laptop"}
    assert len({one["run"] for one in told}) == 1


def test_short_names_and_loops(play, spooled):
    say = {"results": [{"remedy": "CVE-1", "state": "refused", "reason": "{{ item }}"}]}
    done = play(
        {"assess": {"remedies": REMEDIES, "say": EXPOSED}},
        {"patch": {"remedies": REMEDIES, "say": say}, "loop": ["held", "no candidate"]},
        collections=["stopgap.remediation"],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [one for one in spooled() if one["host"] == "web1"]
    assert [(one["kind"], one["reason"]) for one in told] == [
        ("assessed", "1 < 2"),
        ("patch", "held"),
        ("patch", "no candidate"),
    ]


def test_check_mode_leaves_nothing(play, spooled):
    assert play(CHOOSE, ASSESS, words=["--check"]).returncode == 0
    assert spooled() == []
    assert play(CHOOSE, {**ASSESS, "check_mode": True}).returncode == 0
    assert spooled() == []


def test_what_is_done_for_all_that_under_check_is_recorded(play, spooled):
    assert play(CHOOSE, {**ASSESS, "check_mode": False}, words=["--check"]).returncode == 0
    assert {one["verdict"] for one in spooled()} == {"exposed"}


@pytest.mark.parametrize(("poll", "verdicts"), [(1, {"exposed"}), (0, set())])
def test_a_job_that_nobody_waits_for_is_said_and_not_called_unknown(poll, verdicts, play, spooled, tmp_path):
    done = play(CHOOSE, {**ASSESS, "async": 60, "poll": poll}, words=["-e", f"ansible_async_dir={tmp_path}/jobs"])
    assert done.returncode == 0, done.stdout
    assert {one["verdict"] for one in spooled()} == verdicts
    assert ("has no result yet" in " ".join((done.stdout + done.stderr).split())) is (poll == 0)


def test_a_failed_assessment_is_unknown(play, spooled):
    done = play(CHOOSE, {"stopgap.remediation.assess": {"remedies": REMEDIES, "fail": "no dpkg here"}})
    assert done.returncode == 2
    assert {(one["host"], one["verdict"], one["reason"]) for one in spooled()} == {
        (host, "unknown", "assessment failed: no dpkg here") for host in ("web1", "web2")
    }


UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def test_unreachable_before_the_remedies_are_known(play, spooled):
    away = {"ansible.builtin.ping": {}, "vars": UNREACHABLE, "when": "inventory_hostname == 'web2'"}
    done = play(away, CHOOSE, ASSESS)
    assert done.returncode == 4, done.stdout
    told = {one["host"]: one for one in spooled()}
    assert told["web1"]["verdict"] == "exposed"
    assert (told["web2"]["verdict"], told["web2"]["evidence"]["code"]) == ("unknown", "unreachable")
    assert told["web2"]["reason"].startswith("unreachable: ")
    assert told["web2"]["revision"] == 2


@pytest.mark.parametrize("serial", ["100%", 1])
def test_a_silent_host_is_unknown_in_what_the_plays_over_it_ask_and_in_nothing_else(serial, play, spooled, tmp_path):
    """Its other cases, closed ones too, became unknown by plays over other hosts."""
    other = {"stopgap.remediation.remedies": {"say": {"remedies": [{"id": "CVE-2", "revision": 1}]}}}
    away = {"ansible.builtin.ping": {}, "vars": UNREACHABLE, "when": "inventory_hostname == 'web2'"}
    plays = [("all", away), ("web1", CHOOSE, ASSESS), ("all", other), ("all", {"ansible.builtin.ping": {}})]
    plays = [{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)} for hosts, *tasks in plays]
    plays[2]["serial"] = serial
    (tmp_path / "site.yml").write_text(yaml.safe_dump(plays))
    done = play(words=["site.yml", "-e", "stopgap_remedies=CVE-3"])
    assert done.returncode == 4, done.stdout
    assert short(spooled()) == [("web1", "CVE-1", "assessed", "exposed"), ("web2", "CVE-2", "assessed", "unknown")]


def test_a_play_in_which_nobody_can_be_asked_is_told_by_its_names(play, spooled, tmp_path):
    """Whatever plays before and after it had to ask others; and of a play that has nothing to do with us nothing."""
    away = {"ansible.builtin.ping": {}, "vars": UNREACHABLE}
    plays = [("web1", CHOOSE, ASSESS), ("web2", away, CHOOSE), ("web1", {"ansible.builtin.ping": {}})]
    plays = [{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)} for hosts, *tasks in plays]
    (tmp_path / "site.yml").write_text(yaml.safe_dump(plays))
    done = play(words=["site.yml", "-e", "stopgap_remedies=CVE-1"])
    assert done.returncode == 4, done.stdout
    assert short(spooled()) == [("web1", "CVE-1", "assessed", "exposed"), ("web2", "CVE-1", "assessed", "unknown")]


def test_a_host_that_fails_is_no_job_that_nobody_waits_for_whatever_it_says(play, spooled):
    assess = {
        "stopgap.remediation.assess": {
            "remedies": REMEDIES,
            "say": {"failed": True, "msg": "no", "ansible_job_id": "1"},
        }
    }
    assert play(CHOOSE, assess).returncode == 2
    assert {one["verdict"] for one in spooled()} == {"unknown"}


def test_nobody_reachable_still_leaves_unknown(play, spooled):
    done = play({"ansible.builtin.ping": {}, "vars": UNREACHABLE}, words=["-e", "stopgap_remedies=CVE-7,CVE-8"])
    assert done.returncode == 4, done.stdout
    assert short(spooled()) == [
        (host, name, "assessed", "unknown") for host in ("web1", "web2") for name in ("CVE-7", "CVE-8")
    ]


def test_no_log_is_kept_out_and_said(play, spooled):
    done = play(CHOOSE, {**ASSESS, "no_log": True})
    assert done.returncode == 0
    assert "hidden by no_log" in done.stderr + done.stdout
    assert {one["verdict"] for one in spooled()} == {"unknown"}


def test_a_fact_does_not_choose_the_estate(play, spooled):
    fact = {"stopgap.remediation.journal_info": {"say": {"ansible_facts": {"stopgap_estate": "stolen"}}}}
    assert play(fact, CHOOSE, ASSESS).returncode == 0
    assert {one["estate"] for one in spooled()} == {"lab", "other"}


def test_variables_beside_the_playbook_count_where_ansible_has_them(play, spooled, tmp_path):
    """Group by group they weigh more than those beside the inventory, and a host's own weigh most."""
    files = {
        "inventories/group_vars/all.yml": {"stopgap_owner": "nobody", "stopgap_criticality": "low"},
        "inventories/group_vars/shop.yml": {"stopgap_owner": "shop", "stopgap_exposure": "internal"},
        "group_vars/shop.yml": {"stopgap_exposure": "internet"},
        "host_vars/web2.yml": {"stopgap_owner": "bob"},
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content))
    (tmp_path / "inventories/shop").write_text("[shop]\nweb2\n")
    done = play(CHOOSE, ASSESS, hosts="inventories/hosts.yml", words=["-i", "inventories/shop"])
    assert done.returncode == 0, done.stdout
    told = {one["host"]: (one["estate"], one["evidence"]["about"]) for one in spooled()}
    assert told["web1"] == ("lab", {"owner": "nobody", "criticality": "low"})
    assert told["web2"] == ("other", {"owner": "bob", "criticality": "low", "exposure": "internet"})


def test_awx_is_named_by_its_own_variables(play, spooled):
    words = ["-e", "awx_job_id=12", "-e", "awx_user_name=bob", "-e", "stopgap_estate=prod"]
    assert play(CHOOSE, ASSESS, words=words).returncode == 0
    assert {(one["origin"], one["actor"], one["estate"]) for one in spooled()} == {("awx", "bob", "prod")}


def test_delivered_at_the_end(play, spooled, tmp_path):
    done = play(CHOOSE, ASSESS, environ={"STOPGAP_DELIVER": "true"})
    assert done.returncode == 0
    assert "WARNING" not in done.stderr + done.stdout
    assert spooled() == []
    listed = subprocess.run(
        [sys.executable, "-m", "stopgap.ledger", "cases", "--json"],
        env=os.environ | {"STOPGAP_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        check=True,
    )
    assert {(one["host"], one["state"]) for one in json.loads(listed.stdout)["cases"]} == {
        ("web1", "exposed"),
        ("web2", "exposed"),
    }


def test_database_away_is_one_warning_and_no_failure(play, spooled):
    done = play(CHOOSE, ASSESS, environ={"STOPGAP_DELIVER": "true", "STOPGAP_LEDGER_URL": "sqlite:////proc/none/x"})
    assert done.returncode == 0
    said = " ".join((done.stderr + done.stdout).split())
    assert said.count("are not in the ledger yet") == 1
    assert "stopgap ledger ingest" in said
    assert len(spooled()) == 2


def test_a_timeout_that_is_no_number_costs_no_record(play, spooled):
    """Ansible loads no callback whose option is not of its type, and the play goes on without it."""
    done = play(CHOOSE, ASSESS, environ={"STOPGAP_DELIVER": "true", "STOPGAP_DELIVER_TIMEOUT": "2m"})
    said = " ".join((done.stderr + done.stdout).split())
    assert "STOPGAP_DELIVER_TIMEOUT is no number of seconds: 2m; it is 120 now" in said
    assert "Failed to load" not in said
    assert spooled() == []  # delivered


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"STOPGAP_STATE_DIR": "/proc/none"}, "is STOPGAP_STATE_DIR a folder that can be written?"),
        ({"STOPGAP_STATE_DIR": "", "XDG_STATE_HOME": "", "HOME": "~"}, "set HOME, or STOPGAP_STATE_DIR"),
    ],
    ids=["not to be written", "no home"],
)
def test_a_spool_that_cannot_be_written_is_a_warning_and_no_failure(environ, says, play, tmp_path):
    done = play(CHOOSE, ASSESS, environ=environ)
    assert done.returncode == 0
    said = " ".join((done.stderr + done.stdout).split())
    assert "part of this run is not recorded" in said
    assert says in said
    assert "what was only found or proven has to be asked again" in said  # no journal has it
    assert not list(tmp_path.glob("**/spool"))


def test_plays_of_others_leave_nothing(play, tmp_path):
    assert play({"ansible.builtin.ping": {}}).returncode == 0
    assert not (tmp_path / "state").exists()


def test_ansible_runner_leaves_the_same_record(collections, tmp_path, spooled):
    """Under ansible-runner (so under AWX) a callback loads by its full name only."""
    private = tmp_path / "private"
    (private / "project").mkdir(parents=True)
    (private / "inventory").mkdir()
    play = [{"hosts": "all", "gather_facts": False, "tasks": [CHOOSE, ASSESS]}]
    (private / "project/play.yml").write_text(yaml.safe_dump(play))
    (private / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory()))
    scripts = Path(sys.executable).parent
    environ = environment(collections, tmp_path)
    environ["PATH"] = f"{scripts}{os.pathsep}{environ['PATH']}"
    command = [scripts / "ansible-runner", "run", private, "-p", "play.yml"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert short(spooled()) == [(host, "CVE-1", "assessed", "exposed") for host in ("web1", "web2")]


def test_molecule_is_named_by_its_environment(play, spooled):
    assert play(CHOOSE, ASSESS, environ={"MOLECULE_SCENARIO_NAME": "default"}).returncode == 0
    assert {one["origin"] for one in spooled()} == {"molecule"}


KNOWN = {"id": "00000000-0000-768f-aff0-99285644a645", "remedy": "CVE-1", "revision": 2, "evidence": {"fix": True}}
CHOOSE_KNOWN = {"stopgap.remediation.remedies": {"say": {"remedies": REMEDIES, "knowledge": [KNOWN]}}, "run_once": True}


def test_the_site_s_word_on_a_host_is_the_inventory_s_and_never_a_fact_s(play, spooled, tmp_path):
    fact = {"stopgap_exposure": "isolated", "stopgap_owner": "nobody"}
    about = {"stopgap_exposure": "{{ 'internet' if inventory_hostname == 'web2' else 'internal' }}"}
    done = play(
        {"stopgap.remediation.journal_info": {"say": {"ansible_facts": fact}}},
        CHOOSE_KNOWN,
        ASSESS,
        words=["-e", "stopgap_criticality=high"],
        vars={**about, "stopgap_owner": "web-{{ stopgap_estate }}"},
        serial=1,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {one["host"]: one["evidence"]["about"] for one in spooled() if one["kind"] == "assessed"}
    assert told == {
        "web1": {"exposure": "internal", "criticality": "high", "owner": "web-lab"},
        "web2": {"exposure": "internet", "criticality": "high", "owner": "web-other"},
    }
    known = [one for one in spooled() if one["kind"] == "remedy"]
    assert [(one["id"], one["estate"], one["host"], one["remedy"]) for one in known] == [(KNOWN["id"], "", "", "CVE-1")]


def test_a_word_that_is_none_is_left_out_and_warned_of_once(play, spooled):
    done = play(CHOOSE, ASSESS, vars={"stopgap_exposure": "extranet", "stopgap_owner": "{{ nobody_knows }}"})
    assert done.returncode == 0
    said = " ".join((done.stderr + done.stdout).split())
    assert said.count("'extranet' is none of internet, internal, isolated") == 1
    assert said.count("stopgap_owner of web") == 1
    assert [one["evidence"]["about"] for one in spooled()] == [{}, {}]


def test_check_mode_tells_no_knowledge(play, spooled):
    assert play(CHOOSE_KNOWN, ASSESS, words=["--check"]).returncode == 0
    assert spooled() == []


def test_more_time_is_the_task_s_word_and_not_the_answer_s(play, spooled):
    remedies = [{"id": "CVE-1", "revision": 2, "mitigations": [{"id": "m", "ttl_seconds": 86400}]}]
    item = {"remedy": "CVE-1", "revision": 2, "phase": "mitigation", "mitigation": "m", "verdict": "pass", "checks": []}
    answer = {
        "results": {"web1": [item], "web2": [{**item, "verdict": "fail", "extends_to": "2099-01-01T00:00:00.000000Z"}]}
    }
    wish = {"extend": "2d", "reason": "window"}
    done = play({"stopgap.remediation.verify": {"remedies": remedies, "say": answer, **wish}, "run_once": True})
    assert done.returncode == 0, done.stdout + done.stderr
    told = {one["host"]: one["evidence"] for one in spooled()}
    assert (told["web1"]["extends_why"], "extends_to" in told["web1"]) == ("window", True)
    assert "extends_to" not in told["web2"]


def test_what_a_vault_keeps_of_a_host_is_recorded_as_the_text_it_is(play, spooled, tmp_path):
    (tmp_path / "password").write_text("geheim")
    vault = [Path(sys.executable).parent / "ansible-vault", "encrypt_string", "--vault-password-file=password"]
    owner = subprocess.run([*vault, "--name=stopgap_owner", "web-team"], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/web1.yml").write_bytes(owner.stdout)
    done = play(CHOOSE, ASSESS, words=["--vault-password-file=password"])
    assert "WARNING" not in done.stderr + done.stdout
    told = {one["host"]: one["evidence"]["about"] for one in spooled() if one["kind"] == "assessed"}
    assert told == {"web1": {"owner": "web-team"}, "web2": {}}
