"""P3 and P1: kill -9 of the controller between "applied" and "recorded", on real hosts."""

import os
import signal
import threading

import pytest

pytestmark = pytest.mark.lab
REMEDIES = ["CVE-2023-44487", "CVE-2025-49844"]
MOMENTS = 10
STEP = "Put the mitigation in force"


def run_and_kill(books, delay):
    """Start mitigate; *delay* seconds after the step that changes hosts has begun, kill the whole controller."""
    process = books.start_playbook("mitigate", "-e", f"stopgap_remedies={','.join(REMEDIES)}")
    for line in process.stdout:
        if f"{STEP}]" in line and "TASK" in line and "include" not in line:
            break
    timer = threading.Timer(delay, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    process.stdout.read()  # until the controller is gone
    process.wait()
    timer.cancel()
    return process.returncode


def held(books):
    return {(host.name, remedy) for host in books.lab.hosts for remedy in books.held(host.name)}


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_p03_a_killed_controller_loses_no_mitigation(books, moment):
    code = run_and_kill(books, delay=0.25 * moment)

    synced = books.stopgap("sync")
    assert synced.returncode == 0, synced.stdout + synced.stderr
    assert books.owed() == held(books), f"killed with {code} at moment {moment}"

    again = books.stopgap("mitigate", *REMEDIES)
    assert again.returncode == 0, again.stdout + again.stderr
    assert books.owed() == held(books) == {("web1", REMEDIES[0]), ("cache1", REMEDIES[1])}
