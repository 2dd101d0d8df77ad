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
        f'#!/bin/sh\ncase "$*" in\n*"show"*down*) echo ActiveState=inactive;;\n'
        f"*show*crashed*) echo ActiveState=failed;;\n*show*) echo ActiveState=active;;\n"
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


def test_a_restart_that_fails_stops_the_rest_and_says_what_was_restarted(systemctl):
    with pytest.raises(
        steps.StepFailed, match=r"restarted before it: nginx; what should follow was not begun"
    ) as error:
        steps.run_steps([step("restart", "nginx"), step("restart", "broken"), step("restart", "redis")])
    assert error.value.outcome["restarted"] == ["nginx"]
    assert systemctl() == ["restart nginx"]


def test_a_failed_unit_is_forgiven_its_failures_first(systemctl):
    steps.run_steps([step("restart", "crashed")])
    assert systemctl() == ["reset-failed crashed", "restart crashed"]


@pytest.mark.parametrize("kind", ["restart", "reload"])
@pytest.mark.parametrize("unit", ["ssh", "sshd.service"])
def test_sshd_is_asked_whether_it_would_come_back(systemctl, tmp_path, kind, unit):
    sshd = tmp_path / "sshd"
    sshd.write_text("#!/bin/sh\necho 'line 7: Bad option' >&2\nexit 255\n")
    sshd.chmod(0o755)
    with pytest.raises(ActionError, match="would not come back: sshd -t: line 7: Bad option"):
        steps.run_steps([step(kind, unit)])
    assert systemctl() == []
    sshd.write_text("#!/bin/sh\nexit 0\n")
    steps.run_steps([step(kind, unit)])
    assert len(systemctl()) == 1


def test_an_unknown_step_is_named(systemctl):
    with pytest.raises(ActionError, match="no step type reboot here"):
        steps.run_steps([step("reboot", True)])


def users(*units):
    return [
        {"pid": n, "name": f"p{n}", "unit": unit, "package": "libx", "files": []} for n, unit in enumerate(units, 1)
    ]


def test_users_of_a_package_are_restarted_by_unit_and_sessions_are_left(systemctl, monkeypatch):
    found = users("init.scope", "nginx.service", "nginx.service", "session-1.scope", "dbus.service", None)
    monkeypatch.setattr(processes, "package_files", lambda package: {"/libx.so"})
    monkeypatch.setattr(processes, "old_code", lambda packages: found)
    outcome = steps.run_steps([step("restart_users_of", "libx")])
    assert systemctl() == ["daemon-reexec", "restart nginx.service"]
    assert outcome["restarted"] == ["init.scope", "nginx.service"]
    assert len(outcome["left"]) == 3


@pytest.mark.parametrize(
    ("limits", "restarted", "left"),
    [
        ({"except": ["b"]}, ["a.service", "c.service"], ["p2"]),
        ({"at_most": 2}, ["a.service", "b.service"], ["p3"]),
        ({"except": ["a.service"], "at_most": 1}, ["b.service"], ["p1", "p3"]),
        ({"except": [], "at_most": None}, ["a.service", "b.service", "c.service"], []),
    ],
)
def test_a_remedy_limits_what_is_restarted_and_the_rest_is_told(systemctl, monkeypatch, limits, restarted, left):
    monkeypatch.setattr(processes, "package_files", lambda package: {"/libx.so"})
    monkeypatch.setattr(processes, "old_code", lambda packages: users("a.service", "b.service", "c.service"))
    outcome = steps.run_steps([step("restart_users_of", {"package": "libx", **limits})])
    assert outcome["restarted"] == restarted
    assert [told.split()[0] for told in outcome["left"]] == left


def test_what_would_be_restarted_is_what_is_restarted_and_nothing_is_done(systemctl, monkeypatch):
    found = users("init.scope", "nginx.service", "nginx.service", "session-1.scope", "redis.service")
    monkeypatch.setattr(processes, "package_files", lambda package: {"/libx.so"})
    monkeypatch.setattr(processes, "old_code", lambda packages: found)
    asked = [step("restart", "nginx"), step("reload", "ssh"), step("restart", "down"), step("run", ["false"])]
    asked += [step("restart_users_of", {"package": "libx", "except": ["redis"]})]
    assert steps.would_restart(asked) == ["nginx.service", "init.scope"]
    assert systemctl() == []


def test_a_package_that_is_not_installed_has_no_users(systemctl, monkeypatch):
    def absent(package):
        raise processes.Unreadable("no list of the files of libx")

    monkeypatch.setattr(processes, "package_files", absent)
    assert steps.run_steps([step("restart_users_of", "libx")]) == {"restarted": [], "left": []}
