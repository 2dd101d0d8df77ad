"""The verifier on real hosts, over every kind of connection an inventory can name."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import testinfra
import yaml

from stopgap.lab import HostSpec
from stopgap.verify.agent import BOOTSTRAP
from stopgap.verify.backend import open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check, verify
from tests.labs import lab_of

pytestmark = pytest.mark.lab

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
WHO = {"type": "command", "params": {"run": ["id", "-un"], "stdout_matches": "^root$"}}
PLAY = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - stopgap.remediation.verify:
        remedies: "{{ remedies }}"
        targets: "{{ dict(ansible_play_hosts | product([[{'remedy': 'CVE-1', 'phase': 'fix', 'mitigation': none}]])) }}"
        timeout: 20
      run_once: true
      register: proof
    - ansible.builtin.copy:
        content: "{{ proof.results | to_json }}"
        dest: "{{ answer }}"
      become: false
      delegate_to: localhost
      run_once: true
      vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""


def remedy(*checks):
    fix = {"obligations": []}
    return {"id": "CVE-1", "revision": 1, "affected": {"packages": []}, "mitigations": [], "fix": fix, "checks": checks}


@pytest.fixture(scope="module")
def lab():
    with lab_of("verify", HostSpec("a", "bookworm"), HostSpec("b", "bookworm")) as lab:
        lab.write_file("b", "/etc/ssh/sshd_config.d/ports.conf", "Port 22\nPort 2222\nMaxSessions 3\n")
        for host in ("a", "b"):
            # sshd drops connections at random once ten have not logged in yet; here a dozen come at once on purpose
            lab.write_file(host, "/etc/ssh/sshd_config.d/crowd.conf", "MaxStartups 100\n")
            lab.exec(host, ["systemctl", "restart", "ssh"])
        yield lab


@pytest.fixture
def ask(lab, tmp_path, request, monkeypatch):
    """Runs the action in a play over these hosts; gives its results."""
    root = request.config.rootpath
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(root / "collections"))
    monkeypatch.delenv("ANSIBLE_CALLBACKS_ENABLED", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "state"))

    def run(hosts, checks=(WHO,), output=None):
        inventory = yaml.safe_load(lab.inventory.read_text())
        common = inventory["all"]["vars"]
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": common, "hosts": hosts}}))
        (tmp_path / "play.yml").write_text(PLAY)
        extra = {"remedies": [remedy(*checks)], "answer": str(tmp_path / "answer.json")}
        done = subprocess.run(
            [PLAYBOOK, "-vvv", "-i", "hosts.yml", "-e", json.dumps(extra), "play.yml"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if output is not None:
            output.append(done.stdout + done.stderr)
        return {host: entries[0] for host, entries in json.loads((tmp_path / "answer.json").read_text()).items()}

    return run


def address(lab, host):
    return lab.host(host).address


def test_every_kind_of_connection(lab, ask):
    a, b = address(lab, "a"), address(lab, "b")
    password = (lab.inventory.parent / "opspw.password").read_text().strip()
    cold = {"ansible_ssh_args": "-o ControlPath=none"}  # the warm connection of another line would let it in
    no_key = {"ansible_ssh_private_key_file": "/dev/null"}
    output = []
    hosts = {
        "local": {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable},
        "nopasswd": {"ansible_host": a},
        "password": {"ansible_host": a, "ansible_user": "opspw", "ansible_become_password": password},
        "needless": {"ansible_host": a, "ansible_become_password": "never asked for"},
        "port": {"ansible_host": b, "ansible_port": 2222},
        "jump": {"ansible_host": b, "ansible_ssh_common_args": f"-F {lab.ssh_config} -o ProxyJump=a"},
        "ssh_password": {"ansible_host": a, "ansible_user": "opspw", "ansible_password": password, **cold, **no_key},
        "su": {"ansible_host": a, "ansible_become_method": "su", "ansible_become_user": "opspw"},
    }
    hosts["su"]["ansible_become_password"] = password
    wrong = {
        "no_password": {"ansible_host": a, "ansible_user": "opspw"},
        "wrong_password": {"ansible_host": a, "ansible_user": "opspw", "ansible_become_password": "wrong"},
        "no_python": {"ansible_host": a, "ansible_python_interpreter": "/usr/bin/python9"},
        "no_key": {"ansible_host": a, **cold, **no_key},
        "strange_host_key": {"ansible_host": a, "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null", **cold},
        "refused": {"ansible_host": a, "ansible_port": 9},
    }
    hosts["ssh_password"]["ansible_become_password"] = password
    found = ask({**hosts, **wrong}, output=output)
    reasons = {host: entry["reason"] for host, entry in found.items()}
    assert {host: found[host]["verdict"] for host in hosts if host != "su"} == {
        host: "pass" for host in hosts if host != "su"
    }, [reasons[host] for host in hosts if found[host]["verdict"] != "pass"]
    assert found["su"]["verdict"] == "fail"  # root was asked for, and this is another
    assert reasons["su"].endswith("opspw")
    assert {host: found[host]["verdict"] for host in wrong} == dict.fromkeys(wrong, "unknown"), reasons
    assert "password is required" in reasons["no_password"]
    assert "refused" in reasons["wrong_password"]
    assert "python9" in reasons["no_python"]
    assert "Permission denied" in reasons["no_key"]
    assert "Host key verification failed" in reasons["strange_host_key"]
    assert "Connection refused" in reasons["refused"]
    assert password not in output[0]


def test_a_connection_that_cannot_be_kept_open_is_asked_through_ansible(lab, ask, monkeypatch):
    """Slower, with the same verdicts, and told once; where Ansible cannot reach a host either, that is the reason."""
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(Path(__file__).parents[1] / "connection_plugins"))
    a = address(lab, "a")
    password = (lab.inventory.parent / "opspw.password").read_text().strip()
    of_site = {"ansible_connection": "site_ssh", "ansible_host": a}
    hosts = {
        "slow": of_site,
        "slow_password": {**of_site, "ansible_user": "opspw", "ansible_become_password": password},
        "slow_refused": {**of_site, "ansible_user": "opspw", "ansible_become_password": "wrong"},
        "slow_port": {**of_site, "ansible_port": 9, "ansible_ssh_args": "-o ControlPath=none"},
        "fast": {"ansible_host": a},
    }
    output = []
    found = ask(hosts, output=output, checks=(WHO, {"type": "service", "params": {"name": "ssh", "running": True}}))
    reasons = {host: entry["reason"] for host, entry in found.items()}
    verdicts = {host: entry["verdict"] for host, entry in found.items()}
    good = dict.fromkeys(("slow", "slow_password", "fast"), "pass")
    assert verdicts == good | dict.fromkeys(("slow_refused", "slow_port"), "unknown"), reasons
    assert "assword" in reasons["slow_refused"]
    assert "Connection refused" in reasons["slow_port"]
    said = " ".join(output[0].split())
    told = "site_ssh cannot be kept open: each command costs about a second on"
    assert said.count(f"[WARNING]: {told} slow, slow_password, slow_port, slow_refused") == 1
    assert password not in output[0]


def test_p04_a_dead_host_costs_its_own_timeout(lab, ask):
    a = address(lab, "a")
    lab.pause("b")
    try:
        started = time.monotonic()
        dead = {"ansible_host": address(lab, "b"), "ansible_timeout": 4, "ansible_control_path": "none"}
        found = ask({"dead": dead, "good": {"ansible_host": a}})
        assert time.monotonic() - started < 40
    finally:
        lab.unpause("b")
    assert (found["dead"]["verdict"], found["good"]["verdict"]) == ("unknown", "pass")
    assert "unreachable" in found["dead"]["reason"]


def spec(lab, host):
    command = f"sudo /usr/bin/python3 -c '{BOOTSTRAP}'"
    return {"argv": ["ssh", "-F", str(lab.ssh_config), "-T", host, command], "python": "/usr/bin/python3"}


def test_a_container_is_entered_by_podman(lab):
    container = lab.host("a").container
    argv = [str(lab.inventory.parent / "podman"), "exec", "-i", container, "/bin/sh", "-c", f"python3 -c '{BOOTSTRAP}'"]
    request = {
        "remedies": [remedy(WHO)],
        "targets": {"a": [{"remedy": "CVE-1", "phase": "fix"}]},
        "connections": {"a": {"argv": argv, "python": "python3"}},
    }
    assert verify(request)["a"][0]["verdict"] == "pass"


def test_p04_a_host_that_dies_amid_a_check_is_unknown(lab):
    hang = {"type": "command", "params": {"run": ["sleep", "4"]}}
    host = open_host("b", spec(lab, "b"), 3)
    host.backend.connect()
    lab.pause("b")
    try:
        started = time.monotonic()
        result = run_check(host, hang, Context(remedy(), "fix"))
        assert result["verdict"] == "unknown"
        assert time.monotonic() - started < 30
    finally:
        lab.unpause("b")
        host.backend.close()


def test_verdicts_are_those_of_testinfras_own_ssh_backend(lab):
    own = testinfra.get_host("ssh://a", ssh_config=str(lab.ssh_config), sudo=True)
    host = open_host("a", spec(lab, "a"), 20)

    def same(kind, params, expected):
        result = run_check(host, {"type": kind, "params": params}, Context(remedy(), "fix"))
        assert result["verdict"] == ("pass" if expected else "fail"), result

    for unit in ("ssh", "systemd-journald", "cron-nonsense"):
        same("service", {"name": unit, "running": True}, own.service(unit).is_running)
    for unit in ("ssh", "apt-daily.service"):
        same("service", {"name": unit, "masked": True}, own.service(unit).is_masked)
    same("service", {"name": "ssh", "enabled": True}, own.service("ssh").is_enabled)
    for listen in ("tcp://0.0.0.0:22", "tcp://:::22", "tcp://0.0.0.0:23", "udp://127.0.0.1:631"):
        same("socket", {"address": listen, "listening": True}, own.socket(listen).is_listening)
    for path in ("/etc/shadow", "/etc/passwd"):
        same("file", {"path": path, "mode": "0640"}, own.file(path).mode == 0o640)
        same("file", {"path": path, "matches": "^root:x:"}, own.file(path).contains("^root:x:"))
    same("file", {"path": "/no/such", "exists": True}, own.file("/no/such").exists)
    for package in ("sudo", "no-such-package"):
        same("package", {"name": package, "at_least": "0.1"}, own.package(package).is_installed)
    same("sysctl", {"name": "kernel.ostype", "value": "Linux"}, own.sysctl("kernel.ostype") == "Linux")
    same("command", {"run": ["id", "-un"], "stdout_has": "root"}, own.check_output("id -un") == "root")
    host.backend.close()
