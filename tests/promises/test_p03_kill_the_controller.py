"""P3 and P1: kill -9 of the controller between "applied" and "recorded", on real hosts."""

import os
import signal
import threading

import pytest

pytestmark = pytest.mark.lab
REMEDIES = ["CVE-2023-44487", "CVE-2025-49844"]
MOMENTS, STEPS = 10, 0.2  # kills, and seconds between their moments
STEP = "Put the mitigation in force"


def run_and_kill(books, delay):
    """Start mitigate; *delay* seconds after the step that changes hosts has begun, kill the whole controller."""
    with books.start_playbook("mitigate", "-e", f"stopgap_remedies={','.join(REMEDIES)}") as process:
        assert any(f"{STEP}]" in line and "TASK" in line for line in process.stdout), "the step never began"
        timer = threading.Timer(delay, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        process.stdout.read()  # until the controller is gone
        timer.cancel()
    return process.returncode


def held(books):
    return {(host.name, remedy) for host in books.lab.hosts for remedy in books.held(host.name)}


@pytest.fixture(scope="module")
def killed():
    """(exit code, mitigations that only the hosts knew of) of each moment, for the last test to judge them together."""
    return []


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_p03_a_killed_controller_loses_no_mitigation(books, killed, moment):
    code = run_and_kill(books, delay=STEPS * moment)
    killed.append((code, len(held(books) - books.owed())))

    synced = books.stopgap("sync")
    assert synced.returncode == 0, synced.stdout + synced.stderr
    assert books.owed() == held(books), f"killed with {code} at moment {moment}"

    books.stopgap("mitigate", *REMEDIES)  # exit code 3: the nginx remedy says nothing of cache1's release
    mitigated = {("web1", REMEDIES[0]), ("cache1", REMEDIES[1])}
    assert books.owed() == held(books) == mitigated
    assert {case for case, state in books.states().items() if state == "mitigated"} == mitigated


def test_p03_the_moments_were_the_right_ones(killed):
    """Otherwise the tests above prove nothing: controllers died, and some between applied and recorded."""
    assert len(killed) == MOMENTS
    assert sum(code == -signal.SIGKILL for code, _unrecorded in killed) >= MOMENTS // 2
    assert sum(unrecorded > 0 for _code, unrecorded in killed) >= 2
