"""The actions that need systemd, a kernel and sshd, on a real host: done, seen to be so, and taken back exactly."""

import pytest

from stopgap.lab import HostSpec
from tests.e2e.acting import action
from tests.labs import lab_of

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab():
    with lab_of("actions", HostSpec("web1", "bookworm", ("nginx",))) as found:
        yield found


@pytest.fixture
def shows(lab):
    def call(unit):
        shown = lab.exec("web1", ["systemctl", "show", "--property=ActiveState,UnitFileState", unit]).stdout
        return tuple(sorted(shown.split()))

    return call


@pytest.mark.parametrize(
    ("before", "params", "shown"),
    [
        ((), {"running": False}, ("ActiveState=inactive", "UnitFileState=enabled")),
        ((), {"enabled": False}, ("ActiveState=active", "UnitFileState=disabled")),
        ((), {"running": False, "enabled": False}, ("ActiveState=inactive", "UnitFileState=disabled")),
        ((), {"running": False, "masked": True}, ("ActiveState=inactive", "UnitFileState=masked")),
        ((), {"masked": True}, ("ActiveState=active", "UnitFileState=masked")),
        (("disable",), {"running": False, "masked": True}, ("ActiveState=inactive", "UnitFileState=masked")),
        (("stop",), {"running": False, "enabled": False}, ("ActiveState=inactive", "UnitFileState=disabled")),
        (("stop", "disable"), {"running": False, "masked": True}, ("ActiveState=inactive", "UnitFileState=masked")),
    ],
    ids=str,
)
def test_service(lab, mitigate, shows, before, params, shown):
    for verb in before:
        lab.exec("web1", ["systemctl", verb, "nginx"])
    was = shows("nginx")
    assert mitigate("present", action("service", name="nginx", **params))["state"] == "applied"
    assert shows("nginx") == shown
    assert not mitigate("present", action("service", name="nginx", **params))["changed"]
    assert mitigate("absent", action("service", name="nginx", **params))["state"] == "lifted"
    assert shows("nginx") == was
    lab.exec("web1", ["systemctl", "enable", "--now", "nginx"])


def test_service_that_does_not_exist_can_be_masked(mitigate, shows):
    masked = action("service", name="no-such", masked=True, running=False)
    assert mitigate("present", masked)["state"] == "applied"
    assert shows("no-such") == ("ActiveState=inactive", "UnitFileState=masked")
    assert mitigate("absent", masked)["state"] == "lifted"
    assert shows("no-such") == ("ActiveState=inactive", "UnitFileState=")


def test_service_started_by_hand_since_refuses(lab, mitigate, shows):
    down = action("service", name="nginx", running=False, enabled=False)
    mitigate("present", down)
    lab.exec("web1", ["systemctl", "enable", "nginx"])
    lab.exec("web1", ["systemctl", "mask", "nginx"])
    told = mitigate("absent", down)
    assert told["state"] == "refused"
    assert "service:nginx.service: enabled is None" in told["reason"]
    lab.exec("web1", ["systemctl", "unmask", "nginx"])
    assert mitigate("absent", down)["state"] == "lifted"
    assert shows("nginx") == ("ActiveState=active", "UnitFileState=enabled")


def test_service_under_its_other_name_is_the_same_service(mitigate):
    told = mitigate("present", action("service", name="sshd", running=True))
    assert told["actions"][0]["resource"] == "service:ssh.service"


def test_service_of_two_remedies_that_decide_different_things(mitigate, shows):
    down, masked = action("service", name="nginx", running=False), action("service", name="nginx", masked=True)
    mitigate("present", down, name="CVE-1")
    mitigate("present", masked, name="CVE-2")
    mitigate("absent", down, name="CVE-1")
    assert shows("nginx") == ("ActiveState=inactive", "UnitFileState=masked")
    mitigate("absent", masked, name="CVE-2")
    assert shows("nginx") == ("ActiveState=active", "UnitFileState=enabled")


PLAIN = "[Service]\nExecStart=/bin/sleep infinity\n"
INSTALLED = PLAIN + "[Install]\nWantedBy=multi-user.target\n"
INIT_SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: oldd
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case $1 in
  start) start-stop-daemon --start --background --make-pidfile --pidfile /run/oldd.pid --exec /bin/sleep -- 99999 ;;
  stop) start-stop-daemon --stop --pidfile /run/oldd.pid ;;
esac
"""


def links(lab):
    """Every link that has a unit started."""
    folders = ["/etc/systemd/system", "/etc/rc2.d", "/etc/rc0.d"]
    return sorted(lab.exec("web1", ["find", *folders, "-type", "l", "-printf", r"%p %l\n"]).stdout.splitlines())


@pytest.mark.parametrize(
    ("text", "path", "enabling", "state"),
    [
        (INSTALLED, "/etc/systemd/system/app.service", ["add-wants", "ssh.service", "app.service"], "applied"),
        (INSTALLED, "/opt/app/app.service", ["enable", "/opt/app/app.service"], "failed"),
        (PLAIN, "/etc/systemd/system/app.service", ["add-wants", "multi-user.target", "app.service"], "failed"),
    ],
    ids=["by a link more than its file speaks of", "its file lies elsewhere", "without a word of what starts it"],
)
def test_service_that_is_disabled_has_all_its_links_again(lab, mitigate, shows, text, path, enabling, state):
    lab.exec("web1", ["mkdir", "-p", "/opt/app"])
    lab.write_file("web1", path, text)
    lab.exec("web1", ["systemctl", "daemon-reload"])
    lab.exec("web1", ["systemctl", "enable", "app"], check=False)
    lab.exec("web1", ["systemctl", *enabling])
    lab.exec("web1", ["systemctl", "start", "app"])
    before = links(lab)
    assert shows("app") == ("ActiveState=active", "UnitFileState=enabled")
    off = action("service", name="app", running=False, enabled=False)
    assert mitigate("present", off)["state"] == state
    if state == "applied":
        assert shows("app") == ("ActiveState=inactive", "UnitFileState=disabled")
        assert mitigate("absent", off)["state"] == "lifted"
    assert (shows("app"), links(lab)) == (("ActiveState=active", "UnitFileState=enabled"), before)
    lab.exec("web1", ["systemctl", "disable", "--now", "app"])
    lab.exec("web1", ["rm", "-f", path])
    lab.exec("web1", ["systemctl", "daemon-reload"])


def test_service_that_is_enabled_again_enables_no_other_that_was_not(lab, mitigate):
    lab.write_file(
        "web1", "/etc/systemd/system/app.timer", "[Timer]\nOnBootSec=9d\n[Install]\nWantedBy=timers.target\n"
    )
    lab.write_file("web1", "/etc/systemd/system/app.service", INSTALLED + "Also=app.timer\n")
    lab.exec("web1", ["systemctl", "enable", "app.service"])
    lab.exec("web1", ["systemctl", "disable", "app.timer"])
    before, off = links(lab), action("service", name="app", enabled=False)
    assert not [link for link in before if "app.timer" in link]
    assert mitigate("present", off)["state"] == "applied"
    assert not [link for link in links(lab) if "app." in link]
    assert mitigate("absent", off)["state"] == "lifted"
    assert links(lab) == before
    lab.exec("web1", ["systemctl", "disable", "app"])
    lab.exec("web1", ["sh", "-c", "rm /etc/systemd/system/app.*; systemctl daemon-reload"])


def test_service_of_a_file_elsewhere_by_another_name_is_the_one_that_runs(lab, mitigate, shows):
    lab.exec("web1", ["mkdir", "-p", "/opt/app"])
    lab.write_file("web1", "/opt/app/app-2.1.service", PLAIN)
    lab.exec("web1", ["ln", "-s", "/opt/app/app-2.1.service", "/etc/systemd/system/linked.service"])
    lab.exec("web1", ["systemctl", "daemon-reload"])
    lab.exec("web1", ["systemctl", "start", "linked"])
    assert mitigate("present", action("service", name="linked", running=False))["state"] == "applied"
    assert shows("linked") == ("ActiveState=inactive", "UnitFileState=alias")
    assert mitigate("absent", action("service", name="linked", running=False))["state"] == "lifted"
    assert shows("linked") == ("ActiveState=active", "UnitFileState=alias")
    lab.exec("web1", ["systemctl", "stop", "linked"])
    lab.exec("web1", ["rm", "/etc/systemd/system/linked.service"])


def test_service_of_an_init_script_is_kept_from_the_next_boot(lab, mitigate):
    lab.write_file("web1", "/etc/init.d/oldd", INIT_SCRIPT, 0o755)
    lab.exec("web1", ["update-rc.d", "oldd", "defaults"])
    lab.exec("web1", ["systemctl", "daemon-reload"])
    lab.exec("web1", ["systemctl", "start", "oldd"])
    before, off = links(lab), action("service", name="oldd", running=False, enabled=False)
    assert "/etc/rc2.d/S01oldd ../init.d/oldd" in before
    assert mitigate("present", off)["state"] == "applied"
    assert "/etc/rc2.d/K01oldd ../init.d/oldd" in links(lab)
    assert not mitigate("present", off)["changed"]
    assert mitigate("absent", off)["state"] == "lifted"
    assert links(lab) == before
    assert lab.exec("web1", ["systemctl", "is-active", "oldd"]).stdout == "active\n"
    lab.exec("web1", ["systemctl", "stop", "oldd"])
    lab.exec("web1", ["rm", "/etc/init.d/oldd"])
    lab.exec("web1", ["update-rc.d", "oldd", "remove"])


def test_sysctl_for_all_interfaces_leaves_each_of_them_as_it_was(lab, mitigate):
    """The kernel sets each interface along, and lets a host that forwards no more take redirects again."""
    shown = ["sh", "-c", "cd /proc/sys/net/ipv4/conf && grep -H . */forwarding */accept_redirects"]
    lab.exec("web1", ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.lo.forwarding=0"])
    before, off = lab.exec("web1", shown).stdout, action("sysctl", name="net.ipv4.ip_forward", value="0")
    assert "all/forwarding:1\n" in before
    assert "all/accept_redirects:0\n" in before
    assert mitigate("present", off)["state"] == "applied"
    during = lab.exec("web1", shown).stdout
    assert "forwarding:1\n" not in during
    assert "all/accept_redirects:0\n" in during
    assert mitigate("absent", off)["state"] == "lifted"
    assert lab.exec("web1", shown).stdout == before


def test_mount_option_tells_who_has_it_otherwise(lab, mitigate):
    lab.write_file("web1", "/etc/fstab", "tmpfs /srv tmpfs size=1m 0 0\n")
    lab.exec("web1", ["mount", "/srv"])
    lab.exec("web1", ["systemd-run", "--unit=private", "--property=PrivateTmp=yes", "sleep", "infinity"])
    told = mitigate("present", action("mount_option", path="/srv", options=["noexec"]))
    assert told["state"] == "applied"
    assert "sleep (" in told["reason"]
    assert "there /srv is as it was" in told["reason"]
    assert mitigate("absent", action("mount_option", path="/srv", options=["noexec"]))["state"] == "lifted"
    lab.exec("web1", ["systemctl", "stop", "private"])
    lab.exec("web1", ["umount", "/srv"])


def test_sysctl_live_and_over_a_boot(lab, mitigate):
    key, path = "net.ipv4.conf.all.log_martians", "/etc/sysctl.d/90-stopgap-net.ipv4.conf.all.log_martians.conf"
    assert lab.exec("web1", ["cat", "/proc/sys/net/ipv4/conf/all/log_martians"]).stdout.strip() == "0"
    told = mitigate("present", action("sysctl", name=key, value="1"))
    assert (told["state"], told["reason"]) == ("applied", "in force")
    assert lab.exec("web1", ["cat", "/proc/sys/net/ipv4/conf/all/log_martians"]).stdout.strip() == "1"
    assert lab.exec("web1", ["cat", path]).stdout == f"{key} = 1\n"
    mitigate("absent", action("sysctl", name=key, value="1"))
    assert lab.exec("web1", ["cat", "/proc/sys/net/ipv4/conf/all/log_martians"]).stdout.strip() == "0"
    assert lab.exec("web1", ["test", "-e", path], check=False).returncode == 1


def test_sysctl_that_the_kernel_does_not_have(mitigate):
    told = mitigate("present", action("sysctl", name="net.ipv4.no_such", value="1"))
    assert (told["state"], told["changed"]) == ("failed", False)
    assert "this kernel has no sysctl net.ipv4.no_such" in told["reason"]


def test_sshd_option_is_in_effect(lab, mitigate):
    grace = action("sshd_option", name="LoginGraceTime", value="0")
    before = lab.exec("web1", ["sshd", "-T"]).stdout
    assert "logingracetime 0\n" not in before
    told = mitigate("present", grace, then=[{"type": "reload", "params": "ssh"}])
    assert told["state"] == "applied", told["reason"]
    assert "logingracetime 0\n" in lab.exec("web1", ["sshd", "-T"]).stdout
    assert mitigate("absent", grace, then=[{"type": "reload", "params": "ssh"}])["state"] == "lifted"
    assert lab.exec("web1", ["sshd", "-T"]).stdout == before


def test_sshd_option_written_in_another_way_than_sshd_prints_it(mitigate):
    assert mitigate("present", action("sshd_option", name="LoginGraceTime", value="1m"))["state"] == "applied"


def test_sshd_option_that_sshd_does_not_know_is_put_back(lab, mitigate):
    told = mitigate("present", action("sshd_option", name="NoSuchOption", value="yes"))
    assert told["state"] == "failed"
    assert "Bad configuration option: NoSuchOption" in told["reason"]
    assert lab.exec("web1", ["ls", "/etc/ssh/sshd_config.d"]).stdout == ""


def test_sshd_option_set_before_our_drop_in_is_put_back(lab, mitigate):
    config = lab.exec("web1", ["cat", "/etc/ssh/sshd_config"]).stdout
    lab.write_file("web1", "/etc/ssh/sshd_config", "LoginGraceTime 90\n" + config)
    told = mitigate("present", action("sshd_option", name="LoginGraceTime", value="0"))
    lab.write_file("web1", "/etc/ssh/sshd_config", config)
    assert told["state"] == "failed"
    assert "sshd uses 90, not 0" in told["reason"]
    assert lab.exec("web1", ["ls", "/etc/ssh/sshd_config.d"]).stdout == ""


def test_sshd_option_without_the_include_says_so(lab, mitigate):
    config = lab.exec("web1", ["cat", "/etc/ssh/sshd_config"]).stdout
    lab.write_file("web1", "/etc/ssh/sshd_config", config.replace("Include", "#Include"))
    told = mitigate("present", action("sshd_option", name="LoginGraceTime", value="0"))
    lab.write_file("web1", "/etc/ssh/sshd_config", config)
    assert "/etc/ssh/sshd_config does not include" in told["reason"]


def test_file_mode_outlives_a_reinstallation(lab, mitigate):
    stat = ["stat", "-c", "%a %U:%G", "/usr/bin/passwd"]
    before = lab.exec("web1", stat).stdout
    assert before == "4755 root:root\n"
    narrow = action("file_mode", path="/usr/bin/passwd", mode="0755")
    mitigate("present", narrow)
    lab.exec("web1", ["apt-get", "install", "--reinstall", "-y", "passwd"])
    assert lab.exec("web1", stat).stdout == "755 root:root\n"
    assert mitigate("absent", narrow)["state"] == "lifted"
    assert lab.exec("web1", stat).stdout == before
    assert lab.exec("web1", ["dpkg-statoverride", "--list", "/usr/bin/passwd"], check=False).stdout == ""


def test_steps_leave_a_stopped_unit_stopped(lab, mitigate, shows):
    lab.exec("web1", ["systemctl", "stop", "nginx"])
    told = mitigate(
        "present",
        action("file", path="/etc/nginx/conf.d/x.conf", content="# x\n"),
        then=[{"type": "restart", "params": "nginx"}, {"type": "reload", "params": "nginx"}],
    )
    assert told["state"] == "applied", told["reason"]
    assert shows("nginx")[0] == "ActiveState=inactive"
    lab.exec("web1", ["systemctl", "start", "nginx"])


def test_file_refused_by_its_validator_is_put_back(lab, mitigate):
    told = mitigate(
        "present", action("file", path="/etc/nginx/conf.d/x.conf", content="no such thing;\n", validate=["nginx", "-t"])
    )
    assert told["state"] == "failed"
    assert 'unknown directive "no"' in told["reason"]
    assert lab.exec("web1", ["nginx", "-t"]).returncode == 0


def test_restart_users_of_a_replaced_library(lab, mitigate):
    library = lab.exec("web1", ["sh", "-c", "readlink -f /usr/lib/*/libssl.so.3"]).stdout.strip()
    lab.exec("web1", ["cp", "-p", library, library + ".new"])
    lab.exec("web1", ["mv", library + ".new", library])
    pid = lab.exec("web1", ["cat", "/run/nginx.pid"]).stdout
    told = mitigate(
        "present",
        action("file", path="/etc/nginx/conf.d/x.conf", content="# x\n"),
        then=[{"type": "restart_users_of", "params": "libssl3"}],
    )
    assert told["state"] == "applied", told["reason"]
    assert lab.exec("web1", ["cat", "/run/nginx.pid"]).stdout != pid
