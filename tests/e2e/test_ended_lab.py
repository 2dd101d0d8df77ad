"""`stopgap remedy test` that is ended by a signal takes its host along."""

import signal
import subprocess
import sys
import time

import pytest

from stopgap.contract.trial import lab_name
from stopgap.lab import Lab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_remedy_test_leaves_no_host_behind(number):
    remedy = "CVE-2023-44487"
    command = [sys.executable, "-m", "stopgap", "remedy", "test", remedy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lab = Lab(lab_name(remedy, process.pid))
        until(lambda: lab.hosts)
        process.send_signal(number)
        told = process.communicate()[0]
    assert process.returncode == 128 + number, told
    assert lab.hosts == []
    assert not lab.folder.exists()


def until(holds):
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
