"""Bad input that needs no lab: what the terminal says, the exit code, and that nothing was changed or recorded."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def stopgap(tmp_path, monkeypatch):
    """Run the CLI from an empty folder with books of its own."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(*words):
        command = [sys.executable, "-m", "stopgap", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


@pytest.fixture
def unreachable(tmp_path):
    """Two names on a loopback port where nobody listens."""
    path = tmp_path / "hosts.yml"
    path.write_text("all: {hosts: {a: {}, b: {}}, vars: {ansible_host: 127.0.0.1, ansible_port: 1}}\n")
    return str(path)


def test_an_unknown_remedy_names_its_neighbours(stopgap, unreachable):
    done = stopgap("assess", "CVE-2023-44478", "-i", unreachable)
    assert done.returncode == 1
    assert "CVE-2023-44487" in done.stderr


def test_broken_yaml_is_named_by_file_and_line(stopgap, unreachable, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/CVE-2099-0001.yml").write_text("apiVersion: stopgap/v1\nid: [CVE-2099-0001\n")
    done = stopgap("assess", "CVE-2099-0001", "-i", unreachable, "--remedy-path", "mine")
    assert done.returncode == 1
    assert "CVE-2099-0001.yml:" in done.stderr


def test_an_action_type_that_does_not_exist_is_named(stopgap, unreachable, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/CVE-2099-0001.yml").write_text(
        "apiVersion: stopgap/v1\nid: CVE-2099-0001\nrevision: 1\ntitle: x\naffected: {packages: []}\n"
        "mitigations:\n  - id: m\n    title: x\n    disruption: low\n    actions:\n      - servce: {name: x}\n"
    )
    done = stopgap("assess", "CVE-2099-0001", "-i", unreachable, "--remedy-path", "mine")
    assert done.returncode == 1
    assert "servce" in done.stderr
    assert "CVE-2099-0001.yml:11" in done.stderr


def test_an_inventory_with_no_hosts_is_an_error(stopgap, tmp_path):
    (tmp_path / "empty.yml").write_text("all: {hosts: {}}\n")
    done = stopgap("assess", "all", "-i", "empty.yml")
    assert done.returncode == 1
    assert "no host to work on" in done.stderr


def test_an_unreachable_host_is_unknown(stopgap, unreachable):
    done = stopgap("assess", "CVE-2023-44487", "-i", unreachable)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "unreachable a" in done.stdout
    books = stopgap("status", "--json")
    assert '"unknown"' in books.stdout
