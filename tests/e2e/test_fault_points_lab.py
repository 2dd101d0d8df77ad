"""P1 on a real host: the actions that need systemd, sshd, dpkg or a kernel are killed at each of their moments.

What can be tried on a pretend host is tried there, at more moments: tests/promises/test_p01_crash_at_every_moment.py.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from stopgap.lab import HostSpec
from tests.e2e.acting import action
from tests.e2e.target_side import HOME, bring
from tests.labs import lab_of

pytestmark = pytest.mark.lab
READS = [["systemctl", "show"], ["systemctl", "is-active"], ["sshd"], ["dpkg-query"], ["dpkg-deb"], ["nft", "-j"]]
READS += [["visudo"], ["apt-mark", "showauto"], ["apt-mark", "showhold"], ["apt-cache"], ["env", "-C"]]
SIDE = Path(__file__).parent
MARTIANS = "net.ipv4.conf.all.log_martians"
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
HELD = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", "jq"]
SHELL = {"shell": "/usr/sbin/nologin"}
PACKAGES = ("nftables", "cups-daemon", "kmod", "unzip", "jq")  # as in test_taken_away_lab.py: one image for both


@dataclass(frozen=True)
class Row:
    item: dict
    watch: tuple  # paths that have to be as they were
    ask: list = ()  # commands whose answers have to be as they were
    every: int = 1  # where it takes long, not at every moment


ROWS = [
    Row(
        action("service", name="sleeper", running=False, masked=True, enabled=False),
        ("/etc/systemd/system",),
        [["systemctl", "show", "--property=ActiveState,UnitFileState", "sleeper"]],
        every=5,
    ),
    Row(action("sysctl", name=MARTIANS, value="1"), ("/etc/sysctl.d",), [["sysctl", "-n", MARTIANS]]),
    Row(action("sshd_option", name="LoginGraceTime", value="0"), ("/etc/ssh",), [["sshd", "-T"]]),
    Row(
        action("file_mode", path="/usr/bin/passwd", mode="0755"),
        ("/usr/bin/passwd",),
        [["dpkg-statoverride", "--list"]],
    ),
    Row(
        action("file", path="/etc/locked.conf", content="ours\n", immutable=True),
        ("/etc/locked.conf",),
        [["lsattr", "/etc/locked.conf"]],
    ),
    Row(
        action("firewall", protocol="tcp", port="631"),
        ("/etc/stopgap", "/etc/systemd/system"),
        [["nft", "list", "ruleset"]],
        every=9,
    ),
    Row(action("package", name="jq", held=True), ("/usr/bin/jq",), [HELD], every=5),
    Row(action("package", name="jq", removed=True), ("/usr/bin/jq",), [HELD], every=11),
    Row(
        action("user_setting", user="eve", not_in_groups=["adm"], **SHELL, sudoers="eve ALL=/bin/true"),
        ("/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/sudoers.d"),
        every=3,
    ),
    Row(
        action("mount_option", path="/srv/data", options=["noexec"]),
        ("/etc/fstab",),
        [["findmnt", "-n", "-o", "OPTIONS", "/srv/data"]],
    ),
]
PREPARE = """
systemctl daemon-reload
systemctl enable --now sleeper
useradd --create-home --groups adm,games,users eve
mkdir /srv/data
echo "tmpfs /srv/data tmpfs defaults,size=1m 0 0" >> /etc/fstab
mount /srv/data
echo theirs > /etc/locked.conf
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("faults", HostSpec("web1", "bookworm", PACKAGES)) as found:
        bring(found, "web1")
        for path in (SIDE / "fault_points.py", SIDE.parent / "unit/collection/deaths.py"):
            found.write_file("web1", f"{HOME}/{path.name}", path.read_text())
        found.write_file("web1", "/usr/lib/systemd/system/sleeper.service", SLEEPER)
        found.exec("web1", ["sh", "-ec", PREPARE])
        yield found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.item["type"])
def test_check_mode_says_what_a_run_does_and_a_second_run_does_nothing(acting, row):
    for state, would, becomes in (("present", "would_apply", "applied"), ("absent", "would_lift", "lifted")):
        said = acting(state, row.item, check=True)
        done = acting(state, row.item)
        assert (said["state"], done["state"]) == (would, becomes), done["reason"]
        assert said["actions"] == done["actions"]
        assert not acting(state, row.item)["changed"]


@pytest.mark.parametrize("crash_in", ["present", "absent"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.item["type"])
def test_a_kill_at_every_moment_ends_before_or_after(lab, row, crash_in):
    asked = json.dumps({**asdict(row), "reads": READS, "crash_in": crash_in})
    told = json.loads(lab.exec("web1", ["python3", f"{HOME}/fault_points.py"], input=asked).stdout)
    assert told["wrong"] == []
    assert told["moments"] > 8
