"""P4: version on disk AND no process on the old code AND the right kernel; unknown is never fixed."""

from pathlib import Path

import pytest
import yaml
from tests.e2e.target_side import assess, bring, patch, remedy
from tests.labs import lab_of

from ansible_collections.stopgap.remediation.plugins.module_utils import decide
from stopgap.lab import HostSpec

CASES = sorted((Path(__file__).parents[1] / "cases/assess").glob("*.yml"))
SSL = remedy("libssl3", "debian-12", "3.0.22-1~deb12u2", then=[{"type": "restart", "params": "nginx"}])
LIBRARY = "/usr/lib/x86_64-linux-gnu/libssl.so.3"


def test_no_assessment_alone_says_fixed():
    assert "fixed" not in decide.STATES.values()
    assert {decide.STATES[code] for code in ("old_code", "reboot_due", "awaiting_proof")} == {"patched"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_cannot_be_told_is_never_better_than_unknown(path):
    case = yaml.safe_load(path.read_text())
    if case.get("unreadable") or case.get("old_code_unreadable"):
        assert case["expect"]["state"] == "unknown"
    if case.get("old_code") or case["expect"]["code"] == "reboot_due":
        assert case["expect"]["state"] in ("patched", "unknown")


@pytest.fixture
def web():
    with lab_of("p04", HostSpec("web", "bookworm", ("nginx", "redis-server"))) as lab:
        lab.security("web")
        bring(lab, "web")
        yield lab


def nginx_on_old_code(processes):
    return [one for one in processes if one["unit"] == "nginx.service" and LIBRARY in one["files"]]


@pytest.mark.lab
def test_a_library_fixed_under_a_running_daemon_is_in_effect_after_its_restart_only(web):
    result = patch(web, "web", SSL, restart=False)
    assert result["state"] == "installed"
    assert nginx_on_old_code(result["old_code"])

    assessment = assess(web, "web", SSL)
    assert (assessment["state"], assessment["code"]) == ("patched", "old_code")

    before = {one["pid"] for one in nginx_on_old_code(assessment["evidence"]["old_code"])}
    web.exec("web", ["nginx", "-s", "reload"])
    web.exec("web", ["sleep", "2"])
    reloaded = {one["pid"] for one in nginx_on_old_code(assess(web, "web", SSL)["evidence"]["old_code"])}
    assert reloaded - before  # new workers, forked from the old master: still the old library

    again = patch(web, "web", SSL)
    assert (again["state"], again["restarted"]) == ("already", ["nginx"])
    assert nginx_on_old_code(again["old_code"]) == []
    # PID 1 maps it too: the host says so until a reboot
    assert [one["name"] for one in again["old_code"] if one["pid"] == 1] == ["systemd"]
    assert again["reboot_required"] is True
