"""What follows a change. A script plays systemctl here, since this machine's own services are nobody's to restart.

On real hosts the steps are run by the lab tests of the patch module and of the actions.
"""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import processes, steps
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that records its calls; units named in `inactive` do not run."""
    script, calls = tmp_path / "systemctl", tmp_path / "calls"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in\n*"show"*down*) echo ActiveState=inactive;;\n*show*) echo ActiveState=active;;\n'
        f'*broken*) echo "Job failed" >&2; exit 1;;\n*) echo "$*" >> {calls};;\nesac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return lambda: calls.read_text().splitlines() if calls.exists() else []


def step(kind, params):
    return {"type": kind, "params": params}


def test_a_running_unit_is_restarted(systemctl):
    assert steps.run_steps([step("restart", "nginx")]) == {"restarted": ["nginx"], "left": []}
    assert systemctl() == ["restart nginx"]


def test_a_unit_that_does_not_run_stays_down(systemctl):
    assert steps.run_steps([step("restart", "down"), step("reload", "down")])["restarted"] == []
    assert systemctl() == []


def test_a_restart_that_fails_is_an_error_with_what_systemd_said(systemctl):
    with pytest.raises(ActionError, match="Job failed"):
        steps.run_steps([step("restart", "broken")])


def test_an_unknown_step_is_named(systemctl):
    with pytest.raises(ActionError, match="no step type reboot here"):
        steps.run_steps([step("reboot", True)])


def users(*units):
    return [
        {"pid": n, "name": f"p{n}", "unit": unit, "package": "libx", "files": []} for n, unit in enumerate(units, 1)
    ]


def test_users_of_a_package_are_restarted_by_unit_and_sessions_are_left(systemctl, monkeypatch):
    found = users("init.scope", "nginx.service", "nginx.service", "session-1.scope", "dbus.service", None)
    monkeypatch.setattr(processes, "file_lists", lambda package: ["libx.list"])
    monkeypatch.setattr(processes, "old_code", lambda packages: found)
    outcome = steps.run_steps([step("restart_users_of", "libx")])
    assert systemctl() == ["daemon-reexec", "restart nginx.service"]
    assert outcome["restarted"] == ["init.scope", "nginx.service"]
    assert len(outcome["left"]) == 3


def test_a_package_that_is_not_installed_has_no_users(systemctl, monkeypatch):
    monkeypatch.setattr(processes, "file_lists", lambda package: [])
    assert steps.run_steps([step("restart_users_of", "libx")]) == {"restarted": [], "left": []}
