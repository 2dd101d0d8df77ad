"""P1 on a real host: the actions that need systemd, sshd, dpkg or a kernel are killed at each of their moments.

What can be tried on a pretend host is tried there, at more moments: tests/promises/test_p01_crash_at_every_moment.py.
"""

import json
import os
from pathlib import Path

import pytest

from stopgap.lab import HostSpec, Lab
from tests.e2e.acting import action
from tests.e2e.target_side import HOME, bring

pytestmark = pytest.mark.lab
READS = [["systemctl", "show"], ["sshd"], ["dpkg-query"]]
SIDE = Path(__file__).parent
MARTIANS = "net.ipv4.conf.all.log_martians"

# action, folders to compare, commands whose answers to compare, and whether times of files must come back as well
ROWS = [
    (
        action("service", name="cron", running=False, masked=True, enabled=False),
        ["/etc/systemd/system"],
        [["systemctl", "show", "--property=ActiveState,UnitFileState", "cron"]],
        True,
    ),
    (action("sysctl", name=MARTIANS, value="1"), ["/etc/sysctl.d"], [["sysctl", "-n", MARTIANS]], True),
    (action("sshd_option", name="LoginGraceTime", value="0"), ["/etc/ssh"], [["sshd", "-T"]], True),
    (
        action("file_mode", path="/usr/bin/passwd", mode="0755"),
        ["/usr/bin/passwd"],
        [["dpkg-statoverride", "--list"]],
        True,
    ),
]


@pytest.fixture(scope="module")
def lab():
    found = Lab(f"faults-{os.getpid()}")
    found.down()
    try:
        found.up([HostSpec("web1", "bookworm", ("cron",))])
        bring(found, "web1")
        for path in (SIDE / "fault_points.py", SIDE.parent / "unit/collection/deaths.py"):
            found.write_file("web1", f"{HOME}/{path.name}", path.read_text())
        yield found
    finally:
        found.down()


@pytest.mark.parametrize("crash_in", ["present", "absent"])
@pytest.mark.parametrize(("item", "watch", "ask", "times"), ROWS, ids=[row[0]["type"] for row in ROWS])
def test_a_kill_at_every_moment_ends_before_or_after(lab, item, watch, ask, times, crash_in):
    asked = {"item": item, "watch": watch, "ask": ask, "times": times, "reads": READS, "crash_in": crash_in}
    answer = lab.exec("web1", ["python3", f"{HOME}/fault_points.py"], input=json.dumps(asked))
    told = json.loads(answer.stdout)
    assert told["wrong"] == []
    assert told["moments"] > 10
