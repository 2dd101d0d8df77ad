"""The lab against podman itself."""

import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from stopgap.lab import HostSpec, Lab, LabError, SuiteGoneError
from stopgap.lab.engine import detect_engine
from stopgap.lab.readiness import greets

pytestmark = pytest.mark.lab

WEB = HostSpec("web1", "bookworm", ("nginx",))
WEB2 = HostSpec("web2", "bookworm", ("nginx",))
OLD = HostSpec("old1", "bullseye", ("redis-server",))
BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]


@pytest.fixture(scope="module")
def lab():
    """A lab of this run's own: others may be using the machine."""
    made = Lab(f"e2e-{os.getpid()}")
    try:
        yield made.up([WEB, WEB2])
    finally:
        made.down()


def ssh(lab, host, command, **options):
    words = ["ssh", "-F", str(lab.ssh_config), "-o", "BatchMode=yes", host, command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def candidate(lab, package):
    """What apt would install now."""
    policy = lab.exec("web1", ["apt-cache", "policy", package]).stdout
    return next(line.split()[1] for line in policy.splitlines() if "Candidate:" in line)


def test_hosts_are_real(lab):
    for host in ("web1", "web2"):
        assert lab.exec(host, ["cat", "/proc/1/comm"]).stdout == "systemd\n"
        assert lab.exec(host, ["systemctl", "is-system-running"]).stdout == "running\n"
        assert lab.exec(host, ["systemctl", "is-active", "nginx"]).stdout == "active\n"
        assert lab.exec(host, ["hostname"]).stdout.strip() == host


def test_an_old_release_is_a_host_like_any_other():
    old = Lab(f"e2e-{os.getpid()}-old")
    try:
        old.up([OLD])
        assert "VERSION_CODENAME=bullseye" in old.exec("old1", ["cat", "/etc/os-release"]).stdout
        assert old.exec("old1", ["systemctl", "is-system-running"]).stdout == "running\n"
        assert old.exec("old1", ["systemctl", "is-active", "redis-server"]).stdout == "active\n"
    except SuiteGoneError as error:
        pytest.skip(str(error))
    finally:
        old.down()


def test_nothing_shared_that_machines_do_not_share(lab):
    for command in (["cat", "/etc/machine-id"], BOOT_ID, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]):
        assert lab.exec("web1", command).stdout != lab.exec("web2", command).stdout


def test_the_machines_kernel_is_out_of_reach(lab):
    assert ssh(lab, "web1", "sudo sysctl -w net.ipv4.conf.all.log_martians=1").returncode == 0
    for command in ("sysctl -w vm.swappiness=60", "date -s now"):
        refused = ssh(lab, "web1", f"sudo {command}")
        assert refused.returncode != 0
        assert "ermi" in refused.stderr  # permission denied, operation not permitted
    capabilities = ssh(lab, "web1", "sudo grep CapEff /proc/self/status").stdout.split()[1]
    assert not int(capabilities, 16) & 1 << 16  # CAP_SYS_MODULE


def test_ansible_reaches_every_host_by_the_inventory(lab):
    command = ["ansible", "all", "-i", str(lab.inventory), "-b", "-m", "command", "-a", "id -u", "--one-line"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("(stdout) 0") == 2


def test_an_impostor_is_not_trusted(lab):
    known = lab.folder / "known_hosts"
    true = known.read_text()
    web1, web2 = (lab.host(name).address for name in ("web1", "web2"))
    try:
        known.write_text(true.replace(web1, "x").replace(web2, web1).replace("x", web2))
        refused = ssh(lab, "web1", "true")
    finally:
        known.write_text(true)
    assert refused.returncode == 255
    assert "verification failed" in refused.stderr
    assert ssh(lab, "web1", "true").returncode == 0


def test_sudo_of_opspw_asks_for_the_password(lab):
    assert ssh(lab, "web1", "sudo -n true").returncode == 0
    command = ["ssh", "-F", str(lab.ssh_config), "-o", "BatchMode=yes", "-l", "opspw", "web1"]
    password = (lab.folder / "opspw.password").read_text()
    assert subprocess.run([*command, "sudo -n true"], capture_output=True, check=False).returncode == 1
    asked = subprocess.run([*command, "sudo -S id -u"], input=password, capture_output=True, text=True, check=False)
    assert asked.stdout == "0\n"


def test_secrets_are_private(lab):
    assert stat.S_IMODE(lab.folder.stat().st_mode) == 0o700
    for name in ("id_ed25519", "opspw.password", "hosts.yml"):
        assert stat.S_IMODE((lab.folder / name).stat().st_mode) == 0o600


def test_the_security_archive_is_seen_when_asked_for(lab):
    born = candidate(lab, "nginx")
    try:
        lab.security("web1")
        assert candidate(lab, "nginx") != born
    finally:
        lab.security("web1", on=False)
    assert candidate(lab, "nginx") == born


def test_packages_of_main_install_without_an_update(lab):
    lab.exec("web1", ["apt-get", "install", "--yes", "--quiet", "jq"])
    assert lab.exec("web1", ["jq", "-n", "1"]).stdout == "1\n"


def test_up_again_changes_nothing(lab):
    before, inventory = lab.exec("web1", BOOT_ID).stdout, lab.inventory.read_text()
    lab.up([WEB, WEB2])
    assert lab.exec("web1", BOOT_ID).stdout == before
    assert lab.inventory.read_text() == inventory


def test_a_host_is_not_silently_another(lab):
    with pytest.raises(LabError, match="exists already as web1=bookworm:nginx"):
        lab.up([HostSpec("web1", "bullseye")])


def test_files_are_roots_with_the_mode_asked_for(lab):
    lab.write_file("web1", "/etc/made/here.conf", "größe=1\n", 0o640)
    assert lab.exec("web1", ["cat", "/etc/made/here.conf"]).stdout == "größe=1\n"
    assert lab.exec("web1", ["stat", "-c", "%a %U:%G", "/etc/made/here.conf"]).stdout == "640 root:root\n"


def test_a_command_that_fails_is_told(lab):
    with pytest.raises(LabError, match="exit code 7"):
        lab.exec("web1", ["sh", "-c", "exit 7"])
    assert lab.exec("web1", ["sh", "-c", "exit 7"], check=False).returncode == 7


def test_a_reboot_brings_the_host_back(lab):
    command = ["ansible", "web2", "-i", str(lab.inventory), "-b", "-m", "reboot", "-a", "reboot_timeout=300"]
    before = lab.exec("web2", BOOT_ID).stdout
    lab.write_file("web2", "/var/tmp/kept", "x")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lab.wait(["web2"])
    assert lab.exec("web2", BOOT_ID).stdout != before
    assert lab.exec("web2", ["cat", "/var/tmp/kept"]).stdout == "x"
    assert lab.exec("web2", ["systemctl", "is-active", "nginx"]).stdout == "active\n"


def test_power_cut_and_switched_on(lab):
    address = lab.host("web2").address
    lab.kill("web2")
    assert lab.host("web2").state != "running"
    assert not greets(address)
    lab.start("web2")
    assert lab.host("web2").address == address
    assert ssh(lab, "web2", "true").returncode == 0


def test_unplugged_and_plugged_in(lab):
    address = lab.host("web2").address
    lab.disconnect("web2")
    try:
        assert not greets(address)
        assert lab.exec("web2", ["true"]).returncode == 0  # it runs on
    finally:
        lab.connect("web2")
    lab.wait(["web2"], timeout=60)
    assert "default via" in lab.exec("web2", ["ip", "route"]).stdout


def test_frozen_and_thawed(lab):
    lab.pause("web2")
    try:
        assert not greets(lab.host("web2").address)
    finally:
        lab.unpause("web2")
    lab.wait(["web2"], timeout=60)


def test_podman_of_the_lab_is_what_testinfra_finds(lab, monkeypatch):
    testinfra = pytest.importorskip("testinfra")
    monkeypatch.setenv("PATH", f"{lab.folder}:{os.environ['PATH']}")
    host = testinfra.get_host(f"podman://{lab.host('web1').container}")
    assert host.service("nginx").is_running
    assert [found.name for found in lab.hosts] == ["web1", "web2"]  # and the lab itself still finds the real one


def test_the_name_of_another_state_folder_is_refused(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_LAB_DIR", str(tmp_path))
    with pytest.raises(LabError, match="choose another name"):
        Lab(lab.name).down()


def test_labs_made_and_removed_at_once_do_not_touch_each_other(lab):
    others = [Lab(f"e2e-{os.getpid()}-{n}") for n in (1, 2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda other: other.up([WEB]), others))
        addresses = {found.address for made in (lab, *others) for found in made.hosts}
        assert len(addresses) == 4
        assert ssh(others[0], "web1", "true").returncode == 0
    finally:
        for other in others:
            other.down()
    assert not any(other.hosts or other.folder.exists() for other in others)
    assert [found.state for found in lab.hosts] == ["running", "running"]


def test_a_release_the_archive_does_not_have_is_named():
    with pytest.raises(SuiteGoneError, match="does not carry buzzard"):
        Lab(f"e2e-{os.getpid()}-none").up([HostSpec("a", "buzzard")])


def test_a_package_the_release_does_not_have_is_named():
    with pytest.raises(LabError, match="no package named stopgap-no-such-package"):
        Lab(f"e2e-{os.getpid()}-none").up([HostSpec("a", "bookworm", ("stopgap-no-such-package",))])


def test_down_removes_all_that_up_made():
    name = f"e2e-{os.getpid()}-gone"
    made = Lab(name).up([WEB])
    container = made.hosts[0].container
    made.down()
    left = json.loads(detect_engine().podman("ps", "--all", "--format=json").stdout)
    assert container not in {row["Names"][0] for row in left}
    assert not made.folder.exists()
    made.down()  # nothing there is no error
