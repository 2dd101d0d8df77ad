"""`pip install <wheel>` in an empty venv is the whole installation: package, collection and playbooks."""

import os
import subprocess
import venv

import pytest

pytestmark = pytest.mark.lab  # needs the package index


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an empty venv that has the wheel and nothing else of ours."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", wheel], check=True, capture_output=True)
    return folder / "bin"


@pytest.fixture
def run(installed, tmp_path):
    """Run a command of that venv in an empty folder with an empty home."""
    environment = {"PATH": f"{installed}{os.pathsep}/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    def call(*words):
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(
    "module", ["mitigation", "assess", "patch", "journal_info", "verify", "remedies", "outcome", "connections"]
)
def test_ansible_doc_answers(run, module):
    done = run("ansible-doc", f"stopgap.remediation.{module}")
    assert done.returncode == 0, done.stderr
    assert module in done.stdout


def test_the_catalogue_and_the_books_are_there(run):
    assert "CVE-2023-44487" in run("stopgap", "remedy", "list").stdout
    assert run("stopgap", "debt").returncode == 0


def test_pytest_knows_the_plugin(run):
    done = run("pytest", "--remedy", "CVE-2023-44487", "--hosts=local://", "--collect-only", "-q")
    assert "local CVE-2023-44487 fix package:nginx" in done.stdout, done.stdout + done.stderr


def test_playbooks_are_found_from_any_folder(run, tmp_path):
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    done = run(
        "ansible-playbook", "stopgap.remediation.assess", "-i", "hosts.yml", "-e", "stopgap_remedies=CVE-2023-44487"
    )
    assert done.returncode == 4, done.stdout + done.stderr  # the play ran; the host is unreachable
    done = run("stopgap", "assess", "CVE-2023-44487", "-i", "hosts.yml")
    assert done.returncode == 3, done.stdout + done.stderr
