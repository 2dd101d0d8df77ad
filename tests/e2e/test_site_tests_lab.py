"""A site's own tests over `--hosts=stopgap://…` on real hosts: become with its password, systemd, cut lines."""

import subprocess

import pytest
import yaml

from stopgap.lab import HostSpec
from tests.entry_points import environment
from tests.labs import lab_of

pytestmark = pytest.mark.lab

SITE_TEST = r"""
def test_modules(host):
    assert host.user().name == "root"
    assert host.package("sudo").is_installed and not host.package("nonsense").is_installed
    assert host.service("ssh").is_running and not host.service("nonsense").is_running
    assert host.file("/etc/shadow").contains("^root:")
    assert host.file("/etc/shadow").mode == 0o640
    assert host.socket("tcp://0.0.0.0:22").is_listening
    assert host.run("exit 3").rc == 3
    assert host.run("echo %s", "a'b $(id)").stdout == "a'b $(id)\n"

def test_other_users(host):
    with host.sudo("ops"):
        assert host.check_output("id -un") == "ops"
    assert host.check_output("id -un") == "root"

def test_sshd_cuts_the_line(host):
    agent = host.check_output("echo $PPID")
    cut = f"/run/cut.{agent}"
    host.run("test -e %s || { touch %s; pkill -KILL -f '[s]shd:.*notty'; sleep 20; }", cut, cut)
    assert host.check_output("id -un") == "root"
    assert host.check_output("echo $PPID") != agent

def test_sshd_restarts(host):
    assert host.run("systemctl restart ssh").rc == 0
    assert host.service("ssh").is_running
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("site", HostSpec("a", "bookworm"), HostSpec("b", "bookworm")) as lab:
        yield lab


def test_a_sites_tests_run_unchanged_in_workers_too(lab, tmp_path):
    inventory = yaml.safe_load(lab.inventory.read_text())
    password = (lab.inventory.parent / "opspw.password").read_text().strip()
    cold = {"ansible_ssh_args": "-o ControlPath=none"}  # a warm one of another process would outlive what is cut
    hosts = {
        "a": {**cold, "ansible_host": lab.host("a").address},
        "b": {
            **cold,
            "ansible_host": lab.host("b").address,
            "ansible_user": "opspw",
            "ansible_become_password": password,
        },
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": inventory["all"]["vars"], "hosts": hosts}}))
    (tmp_path / "test_site.py").write_text(SITE_TEST)
    (tmp_path / "ansible.cfg").touch()
    words = ("pytest", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadscope", "-rA", "--hosts=stopgap://all")
    done = subprocess.run(
        [*words, "--ansible-inventory=hosts.yml", "test_site.py"],
        env=environment(tmp_path / "site", ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "8 passed" in done.stdout
    assert "[stopgap://b]" in done.stdout
    assert password not in done.stdout + done.stderr
