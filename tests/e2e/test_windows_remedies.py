"""The remedies for Windows. Nothing here runs on Windows: the task files are held against the modules they call."""

import os
import subprocess

import pytest
import yaml

from stopgap.collection import collection_root
from stopgap.remedy import load
from tests.e2e import windows_modules

REMEDIES = collection_root() / "remedies"
IDS = ["CVE-2021-26855", "CVE-2021-34527", "CVE-2022-30190", "CVE-2025-53770", "MS17-010"]
FILES = sorted((REMEDIES / "tasks").rglob("*.yml"))
TASKS = [
    pytest.param(task, id=f"{file.parent.name}/{file.stem}: {task['name']}")
    for file in FILES
    for task in windows_modules.tasks_of(file)
]
ON_WINDOWS = [param for param in TASKS if "windows." in windows_modules.module_of(param.values[0])[0]]


@pytest.mark.parametrize("task", ON_WINDOWS)
def test_task_calls_a_module_that_exists_and_takes_what_it_is_given(task):
    assert windows_modules.problems(*windows_modules.module_of(task)) == []


@pytest.mark.parametrize("task", ON_WINDOWS)
def test_windows_task_runs_over_there_and_becomes_nobody(task):
    """The play's host is a Linux one that stands for them; sudo there is none."""
    assert task["delegate_to"] == "{{ item }}"
    assert task["loop"].endswith("_hosts }}")
    assert task["become"] is False


def test_a_wrong_argument_would_be_seen():
    service = "ansible.windows.win_service"
    assert windows_modules.problems(service, {"name": "Spooler", "state": "stopped"}) == []
    assert "win_servise" in windows_modules.problems("ansible.windows.win_servise", {"name": "Spooler"})[0]
    for wrong in (
        {"name": "x", "state": "gone"},
        {"name": "x", "stat": "stopped"},
        {"state": "stopped"},
        {"name": "x", "dependencies": {"a": 1}},
    ):
        assert windows_modules.problems(service, wrong), wrong


@pytest.mark.parametrize("identity", IDS)
def test_each_has_the_three_files_and_proof_after_applying(identity):
    remedy = load(REMEDIES / f"{identity}.yml")
    action = remedy.mitigations[0].actions[0]
    assert action.type == "tasks"
    for phase in ("check", "apply", "revert"):
        assert (REMEDIES / getattr(action.params, phase)).is_file()
    applied = windows_modules.tasks_of(REMEDIES / action.params.apply)
    included = [task.get("ansible.builtin.include_tasks") for task in applied[-2:]]
    assert included == ["check.yml", "../windows/prove.yml"]


def test_ansible_reads_all_of_them(tmp_path):
    """`import_tasks` is read at once, where `include_tasks` waits for the run."""
    tasks = [{"name": file.stem, "ansible.builtin.import_tasks": str(file)} for file in FILES]
    play = tmp_path / "play.yml"
    play.write_text(
        yaml.safe_dump([{"name": "Read them", "hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    )
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(windows_modules.collections())}
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", play], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_task_file_belongs_to_a_remedy():
    assert {file.parent.name for file in FILES} == {*IDS, "windows"}
