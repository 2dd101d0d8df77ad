"""What is done to a unit, by cases; tests/e2e/test_actions_lab.py asks a real systemd."""

from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import service

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/service/decided.yml").read_text())


class Systemd:
    """Knows one unit, and does to it what systemctl would."""

    def __init__(self, active, unit_file):
        self.active, self.files, self.verbs = active, [unit_file], []

    def __call__(self, argv):
        verb = " ".join(argv[1:-1])
        if verb.startswith("show"):
            return f"ActiveState={self.active}\nUnitFileState={self.files[-1]}\n"
        self.verbs.append(verb)
        self.effect(*verb.split())
        return ""

    def effect(self, verb, runtime=""):
        suffix = "-runtime" if runtime else ""
        if verb in ("start", "stop"):
            self.active = "active" if verb == "start" else "inactive"
        elif verb == "unmask":
            self.files = self.files[:-1] or [""]
        elif verb == "mask":
            self.files.append("masked" + suffix)
        else:
            self.files[-1] = verb + "d" + suffix


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_service_cases(case, monkeypatch):
    systemd = Systemd(*case["unit"])
    monkeypatch.setattr(service, "must", systemd)
    action = service.Service({"name": "x", **case["params"]})
    prior = action.read()
    wanted = action.desired(prior)
    action.apply(prior)
    assert systemd.verbs == case["apply"]
    assert not differing(action.read(), wanted)
    systemd.verbs = []
    action.revert(prior, wanted)
    assert systemd.verbs == case["revert"]
    assert not differing(action.read(), {key: prior[key] for key in wanted})


def test_service_aliases_count_as_their_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "UNIT_FOLDERS", (str(tmp_path),))
    (tmp_path / "ssh.service").touch()
    (tmp_path / "sshd.service").symlink_to("ssh.service")
    (tmp_path / "off.service").symlink_to("/dev/null")
    found = [service.Service({"name": name}).resource for name in ("ssh", "sshd", "sshd.service", "off", "x.socket")]
    assert found == ["service:ssh.service"] * 3 + ["service:off.service", "service:x.socket"]
