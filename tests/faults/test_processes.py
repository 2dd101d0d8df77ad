"""Who waits for a lock: what tells a hang of Ansible's own from all others."""

import subprocess
import sys
import time

from tests.faults import processes

LOST = "import multiprocessing as m; lock = m.Lock(); lock.acquire(); print(flush=True); lock.acquire()"
ASLEEP = "import time; print(flush=True); time.sleep(100)"


def wait_until_idle(process):
    end = time.monotonic() + 10
    while f"{process} S " not in processes.describe(process):
        assert time.monotonic() < end
        time.sleep(0.01)


def waits(code, name):
    with subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            wait_until_idle(process.pid)
            return processes.waits_for_a_lock(process.pid, "ansible-playbook")
        finally:
            processes.end(process.pid)


def test_only_who_waits_for_a_lock_is_told_so():
    assert waits(LOST, "ansible-playbook")
    assert not waits(ASLEEP, "ansible-playbook")
    assert not waits(LOST, "another")
