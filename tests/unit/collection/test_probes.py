"""Conditions of `affected.when`: each says yes, no, or that it cannot be told."""

import os

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import command, probes
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.probes import sysctl


def holds(kind, params):
    return probes.evaluate({"type": kind, "params": params})["holds"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_text("server {\n  # listen 443 http2;\n  listen 80;\n}\n")
    return str(path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^\s*listen 80", True),
        (r"^\s*listen\b.*http2", False),  # a comment is no setting, if the expression says so
        (r"(", None),
    ],
)
def test_file_has(config, pattern, expected):
    assert holds("file_has", {"path": config, "matches": pattern}) is expected


def test_a_file_that_is_not_there_has_nothing(tmp_path):
    told = probes.evaluate({"type": "file_has", "params": {"path": str(tmp_path / "none"), "matches": "x"}})
    assert told == {"type": "file_has", "holds": False, "reason": f"{tmp_path}/none does not exist"}


def test_a_file_that_cannot_be_read_is_unknown(tmp_path):
    assert holds("file_has", {"path": str(tmp_path), "matches": "x"}) is None


@pytest.mark.parametrize("made", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "device"])
def test_p09_a_pipe_or_a_device_is_not_read_and_unknown(made, tmp_path, in_time):
    """Whoever owns the folder can put one there, and the whole play would wait for this host."""
    made(tmp_path / "x")
    assert holds("file_has", {"path": str(tmp_path / "x"), "matches": "x"}) is None


def test_a_masked_unit_has_nothing(tmp_path):
    os.symlink("/dev/null", tmp_path / "x.service")
    assert holds("file_has", {"path": str(tmp_path / "x.service"), "matches": "ExecStart"}) is False


def test_file_has_takes_every_end_of_a_line(tmp_path):
    (tmp_path / "x").write_bytes(b"a\r\nb\rc\xff\n")
    assert holds("file_has", {"path": str(tmp_path / "x"), "matches": r"^b\nc"}) is True
    assert holds("file_has", {"path": str(tmp_path / "x"), "matches": "^a$"}) is True


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        ({"run": ["echo", "logingracetime 0"], "stdout_has": "logingracetime 0"}, True),
        ({"run": ["echo", "logingracetime 120"], "stdout_has": "logingracetime 0"}, False),
        ({"run": ["false"]}, None),  # an exit code nobody foresaw is unknown, not no
        ({"run": ["false"], "rc": [0, 1]}, True),
        ({"run": ["/no/such/program"]}, None),
        ({"run": ["sleep", "5"], "timeout": 0.05}, None),
    ],
)
def test_command(cmd, expected):
    assert holds("command", cmd) is expected


def test_sysctl():
    with open("/proc/sys/kernel/ostype") as handle:
        value = handle.read().strip()
    assert holds("sysctl", {"name": "kernel.ostype", "value": value}) is True
    assert holds("sysctl", {"name": "kernel.ostype", "value": "Hurd"}) is False
    assert holds("sysctl", {"name": "kernel.no_such_setting", "value": "1"}) is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
    ],
)
def test_sysctl_names(name, path):
    assert sysctl.path_of(name) == path


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("active", True),
        ("reloading", True),
        ("activating", True),
        ("refreshing", True),
        ("inactive", False),
        ("failed", False),
        ("", False),
    ],
)
def test_service_active(monkeypatch, state, expected):
    monkeypatch.setattr(command, "ask", lambda cmd: command.Answer(True, "", state + "\n"))
    assert holds("service_active", "nginx.service") is expected


@pytest.mark.parametrize(
    ("shown", "active", "expected"),
    [
        ("LoadState=loaded\nTriggeredBy=cups.path cups.socket\n", ["cups.socket"], True),
        ("LoadState=loaded\nTriggeredBy=cups.path cups.socket\n", ["cups.path"], False),
        ("LoadState=loaded\nTriggeredBy=cups.socket\n", [], False),
        ("LoadState=masked\nTriggeredBy=cups.socket\n", ["cups.socket"], False),
    ],
)
def test_a_service_that_a_socket_starts_is_there_for_who_comes(monkeypatch, shown, active, expected):
    """cups goes when it is idle, Ubuntu's ssh comes with the first connection: whoever asks gets an answer."""

    def ask(cmd):
        unit = cmd["run"][-1]
        return command.Answer(
            True, "", shown if cmd["run"][1] == "show" else "active\n" if unit in active else "inactive\n"
        )

    monkeypatch.setattr(command, "ask", ask)
    told = probes.evaluate({"type": "service_active", "params": "cups.service"})
    assert told["holds"] is expected
    assert ("cups.socket" in told["reason"]) is expected


def test_a_host_without_systemd_cannot_tell(monkeypatch):
    def refuse(cmd):
        raise Surprise("systemctl: exit code 1 is not one of [0, 3, 4]")

    monkeypatch.setattr(command, "ask", refuse)
    assert holds("service_active", "nginx.service") is None


def test_a_probe_this_release_does_not_know_is_unknown():
    assert holds("horoscope", "leo") is None
