"""Ways in closed, packages and classes taken out, modules and triggered services kept down, on a real host: seen to be
so from outside, and taken back exactly."""

import io
import os
import socket
import subprocess
import zipfile

import pytest

from stopgap.lab import HostSpec
from stopgap.verify.agent import BOOTSTRAP
from stopgap.verify.backend import open_host
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check
from tests.e2e.acting import action
from tests.labs import lab_of

pytestmark = pytest.mark.lab

PORT = 4711
MEMBER = "org/apache/logging/log4j/core/lookup/JndiLookup.class"
ECHO = f"""
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("0.0.0.0", {PORT}), Echo).serve_forever()
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("away", HostSpec("web1", "bookworm", ("nftables", "cups-daemon", "kmod", "unzip", "jq"))) as found:
        yield found


@pytest.fixture
def says(lab):
    """What a command on the host prints."""

    def call(*argv):
        return lab.exec("web1", list(argv), check=False).stdout.strip()

    return call


@pytest.fixture
def snapshot(says):
    """All files of some folders, with all there is to know of them; sizes and times of folders are not ours."""

    def call(*folders):
        form = r"%y %p %m %u:%g %s %T@ %l\n"
        listed = says("find", *folders, "-xdev", "-not", "-type", "d", "-printf", form).splitlines()
        inner = says("find", *folders, "-xdev", "-type", "d", "-printf", r"%p %m %u:%g\n").splitlines()
        return sorted(listed) + sorted(inner)

    return call


# --- firewall


@pytest.fixture(scope="module")
def server(lab):
    """A daemon that answers, and its address."""
    lab.exec("web1", ["systemd-run", "--unit=echo", "--property=Restart=always", "python3", "-c", ECHO])
    address = lab.host("web1").address
    lab.exec("web1", ["sh", "-c", f"until ss -ltn | grep -q :{PORT}; do :; done"])
    return address, PORT


def answers(connection, word=b"hello\n"):
    connection.sendall(word)
    return connection.recv(100) == word


def is_closed(server):
    """Dropped, which is not refused."""
    with pytest.raises(TimeoutError):
        socket.create_connection(server, timeout=1.5)
    return True


def closing(server, except_from=()):
    return action("firewall", protocol="tcp", port=str(server[1]), source=None, except_from=list(except_from))


def test_firewall_drops_new_connections_and_lets_established_ones_go_on(lab, mitigate, server, snapshot):
    before = snapshot("/etc/systemd", "/etc/nftables.conf")
    with socket.create_connection(server, timeout=5) as old:
        assert answers(old)
        predicted = mitigate("present", closing(server), check=True)
        assert (predicted["state"], predicted["actions"][0]["after"]) == ("would_apply", "closed")
        told = mitigate("present", closing(server))
        assert (told["state"], told["reason"]) == ("applied", "in force")
        assert is_closed(server)
        assert answers(old)
        assert not mitigate("present", closing(server))["changed"]
        assert mitigate("absent", closing(server))["state"] == "lifted"
        assert answers(old)
    with socket.create_connection(server, timeout=5) as new:
        assert answers(new)
    assert snapshot("/etc/systemd", "/etc/nftables.conf") == before
    assert lab.exec("web1", ["nft", "list", "tables"]).stdout == ""
    assert lab.exec("web1", ["test", "-e", "/etc/stopgap"], check=False).returncode == 1


def test_firewall_lets_in_whom_it_excepts(mitigate, server):
    with socket.create_connection(server, timeout=5) as probe:
        own = probe.getsockname()[0]
    mitigate("present", closing(server, [f"{own}/32", "2001:db8::/32"]))
    with socket.create_connection(server, timeout=5) as new:
        assert answers(new)


@pytest.mark.parametrize("verb", ["start", "restart", "reload"])
def test_firewall_outlives_what_nftables_service_flushes(lab, mitigate, server, verb):
    lab.exec("web1", ["systemctl", "stop" if verb == "start" else "start", "nftables"])
    mitigate("present", closing(server))
    lab.exec("web1", ["systemctl", verb, "nftables"])
    lab.exec("web1", ["sh", "-c", "until systemctl is-active 'stopgap-*-follow.service'; do :; done"])
    lab.exec("web1", ["sh", "-c", "until nft list tables | grep stopgap; do :; done"])
    assert is_closed(server)
    mitigate("absent", closing(server))
    lab.exec("web1", ["systemctl", "stop", "nftables"])


def test_firewall_that_somebody_flushed_is_lost_and_put_in_force_again(lab, mitigate, server):
    mitigate("present", closing(server))
    lab.exec("web1", ["nft", "flush", "ruleset"])
    told = mitigate("present", closing(server))
    assert (told["state"], told["changed"]) == ("applied", True)
    assert is_closed(server)
    assert mitigate("absent", closing(server))["state"] == "lifted"
    assert lab.exec("web1", ["nft", "list", "tables"]).stdout == ""


@pytest.mark.parametrize(
    "params",
    [
        {"protocol": "udp", "port": "8000-8010", "source": "0.0.0.0/0", "except_from": ["10.1.1.1/32"]},
        {"source": "192.0.2.0/24"},
        {"source": "2001:db8::/64", "except_from": ["2001:db8::7/128"]},
        {"source": "::/0"},
    ],
    ids=str,
)
def test_firewall_rules_are_read_back_as_they_were_written(mitigate, params):
    told = mitigate("present", action("firewall", **params))
    assert told["state"] == "applied", told["reason"]
    assert mitigate("absent", action("firewall", **params))["state"] == "lifted"


def test_firewall_never_locks_out_who_is_logged_in(lab, mitigate):
    words = ["ssh", "-F", str(lab.ssh_config), "-o", "BatchMode=yes", "web1"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*words, "echo ready; cat"], stdin=pipe, stdout=pipe, text=True) as session:
        assert session.stdout.readline() == "ready\n"
        shut = action("firewall", protocol="tcp", port="20-30")
        for check in (True, False):
            told = mitigate("present", shut, check=check)
            assert (told["state"], told["changed"]) == ("failed", False)
            assert "would lock out" in told["reason"]
        peer = told["reason"].partition("would lock out ")[2].partition(",")[0]
        shut = action("firewall", protocol="tcp", port="20-30", except_from=[peer])
        assert mitigate("present", shut)["state"] == "applied"
        assert subprocess.run([*words, "echo in"], capture_output=True, text=True).stdout == "in\n"
        session.stdin.close()


def test_firewall_without_nft_changes_nothing(lab, mitigate, server):
    lab.exec("web1", ["mv", "/usr/sbin/nft", "/usr/sbin/nft.away"])
    told = mitigate("present", closing(server))
    lab.exec("web1", ["mv", "/usr/sbin/nft.away", "/usr/sbin/nft"])
    assert told["state"] == "failed"
    assert "install nftables" in told["reason"]
    assert lab.exec("web1", ["test", "-e", "/etc/stopgap"], check=False).returncode == 1


# --- package


def package(name, **params):
    return action("package", name=name, **params)


@pytest.fixture
def states(says):
    def call(*units):
        return [says("systemctl", "show", "--property=ActiveState,UnitFileState", unit) for unit in units]

    return call


def test_package_removed_and_back_from_its_own_file_without_a_network(lab, mitigate, says, snapshot, states):
    lab.exec("web1", ["apt-get", "update"])
    lab.exec("web1", ["systemctl", "disable", "cups.path"])
    lab.exec("web1", ["apt-mark", "auto", "cups-daemon"])
    units = ("cups.service", "cups.socket", "cups.path")
    before, was = states(*units), snapshot("/usr", "/etc/cups", "/etc/systemd")
    gone = package("cups-daemon", removed=True)
    assert mitigate("present", gone, check=True)["state"] == "would_apply"
    told = mitigate("present", gone)
    assert told["state"] == "applied", told["reason"]
    assert says("dpkg-query", "-W", "-f", "${db:Status-Status}", "cups-daemon") == "config-files"
    assert not mitigate("present", gone)["changed"]
    lab.disconnect("web1")
    told = mitigate("absent", gone)
    lab.connect("web1")
    assert told["state"] == "lifted", told["reason"]
    assert states(*units) == before
    assert says("apt-mark", "showauto", "cups-daemon") == "cups-daemon"
    assert snapshot("/usr", "/etc/cups", "/etc/systemd") == was
    lab.exec("web1", ["systemctl", "enable", "cups.path"])


def test_package_that_others_need_is_not_removed(mitigate):
    told = mitigate("present", package("libjq1", removed=True))
    assert (told["state"], told["changed"]) == ("failed", False)
    assert "removing libjq1 would remove others too: jq;" in told["reason"]


def test_package_held(lab, mitigate, says):
    assert mitigate("present", package("jq", held=True))["state"] == "applied"
    assert says("apt-mark", "showhold") == "jq"
    assert not mitigate("present", package("jq", held=True))["changed"]
    assert mitigate("absent", package("jq", held=True))["state"] == "lifted"
    assert says("apt-mark", "showhold") == ""


def test_package_set_back_and_what_cannot_be_put_back_is_left(lab, mitigate, says):
    """In one go, since each needs what the last one left: an upgrade, a downgrade, a repository that is gone."""
    old = says("dpkg-query", "-W", "-f", "${Version}", "unzip")
    lab.security("web1", on=True)
    lab.exec("web1", ["apt-get", "update"])
    lab.exec("web1", ["apt-get", "install", "-y", "unzip", "jq"])
    new = says("dpkg-query", "-W", "-f", "${Version}", "unzip")
    assert new != old
    back = package("unzip", version=old)
    assert mitigate("present", back, check=True)["state"] == "would_apply"
    told = mitigate("present", back)
    assert told["state"] == "applied", told["reason"]
    assert (says("dpkg-query", "-W", "-f", "${Version}", "unzip"), says("apt-mark", "showhold")) == (old, "unzip")
    assert not mitigate("present", back)["changed"]

    told = mitigate("present", package("libjq1", version="1.6-2.1+deb12u2"), name="CVE-2")
    assert (told["state"], told["changed"]) == ("failed", False)
    assert "libjq1 1.6-2.1+deb12u2 cannot be had by itself" in told["reason"]

    lab.security("web1", on=False)
    lab.exec("web1", ["apt-get", "update"])
    told = mitigate("absent", back)
    assert told["state"] == "lifted", told["reason"]
    assert (says("dpkg-query", "-W", "-f", "${Version}", "unzip"), says("apt-mark", "showhold")) == (new, "")

    lab.exec("web1", ["apt-get", "clean"])
    for check in (True, False):
        told = mitigate("present", package("unzip", removed=True), check=check)
        assert (told["state"], told["changed"]) == ("failed", False)
        assert f"unzip {new} could not be put back" in told["reason"]
    assert says("dpkg-query", "-W", "-f", "${Version}", "unzip") == new


# --- archive_member


def archive(*members):
    """Each a (name, content), stored."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as found:
        for name, content in members:
            found.writestr(name, content)
    return data.getvalue()


def test_archive_member_of_nested_archives_and_who_still_has_them_open(lab, mitigate, says, snapshot):
    jar = archive((MEMBER, b"class"), ("other.class", b"other"))
    lab.exec("web1", ["mkdir", "-p", "/srv/app/webapps"])
    lab.write_file(
        "web1", "/srv/app/webapps/shop.war", archive(("WEB-INF/lib/log4j-core.jar", jar), ("index.html", "hi"))
    )
    lab.write_file("web1", "/srv/app/clean.jar", archive(("other.class", b"other")))
    lab.exec("web1", ["sh", "-c", "chown 33:33 /srv/app/webapps/shop.war; chmod 640 /srv/app/webapps/shop.war"])
    holder = "import time; held = open('/srv/app/webapps/shop.war'); print(1, flush=True); time.sleep(600)"
    lab.exec("web1", ["systemd-run", "--unit=holder", "python3", "-c", holder])
    lab.exec("web1", ["sh", "-c", "until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q shop.war; do :; done"])
    before = snapshot("/srv/app")
    out = action("archive_member", paths=["/srv/app"], member=MEMBER, archives=["*.jar", "*.war", "*.ear"])
    assert mitigate("present", out, check=True)["state"] == "would_apply"
    assert snapshot("/srv/app") == before
    told = mitigate("present", out)
    assert told["state"] == "applied", told["reason"]
    assert "restart: python3 (pid " in told["reason"]
    listing = "import zipfile, io; war = zipfile.ZipFile('/srv/app/webapps/shop.war')"
    inner = "zipfile.ZipFile(io.BytesIO(war.read('WEB-INF/lib/log4j-core.jar')))"
    names = f"{listing}; print(war.testzip(), war.namelist(), {inner}.namelist())"
    assert says("python3", "-c", names) == "None ['WEB-INF/lib/log4j-core.jar', 'index.html'] ['other.class']"
    assert not mitigate("present", out)["changed"]
    assert mitigate("absent", out)["state"] == "lifted"
    assert snapshot("/srv/app") == before
    lab.exec("web1", ["systemctl", "stop", "holder"])


# --- kernel_module: of the machine's own kernel, so only what lies in files


def test_kernel_module_that_is_not_loaded_cannot_be(lab, mitigate, says):
    kept_out = action("kernel_module", name="no-such-module", blacklist=True, install_false=True, unload=True)
    path = "/etc/modprobe.d/stopgap-no_such_module.conf"
    assert mitigate("present", kept_out)["state"] == "applied"
    assert says("cat", path) == "blacklist no_such_module\ninstall no_such_module /bin/false"
    assert "install no_such_module /bin/false" in says("modprobe", "--showconfig")
    assert not mitigate("present", kept_out)["changed"]
    assert mitigate("absent", kept_out)["state"] == "lifted"
    assert lab.exec("web1", ["test", "-e", path], check=False).returncode == 1


# --- what the checks say of it


@pytest.fixture
def verdict(lab):
    """Of a check, as verify asks it: over ssh, through sudo."""
    words = ["ssh", "-F", str(lab.ssh_config), "-o", "BatchMode=yes", "web1", f"sudo python3 -c '{BOOTSTRAP}'"]
    host = open_host("web1", {"argv": words, "python": "/usr/bin/python3"}, 20)
    yield lambda kind, **params: run_check(host, action(kind, **params), Context({}, "mitigation"))["verdict"]
    host.backend.close()


def test_actions_and_their_checks_agree(lab, mitigate, verdict):
    lab.exec("web1", ["mkdir", "-p", "/srv/lib"])
    lab.write_file("web1", "/srv/lib/log4j.jar", archive((MEMBER, b"class")))
    pairs = [
        ({"protocol": "tcp", "port": "4713"}, {"protocol": "tcp", "port": "4713", "source": None}, "firewall"),
        ({"paths": ["/srv/lib"], "member": MEMBER}, {"paths": ["/srv/lib"], "member": MEMBER}, "archive_member"),
    ]
    asked = [action(kind, **params) for params, _check, kind in pairs]
    for expected, state in (("fail", None), ("pass", "present"), ("fail", "absent")):
        if state:
            told = mitigate(state, *asked)
            assert told["state"] == {"present": "applied", "absent": "lifted"}[state], told["reason"]
        assert [verdict(kind, **check) for _params, check, kind in pairs] == [expected] * 2
    kept_out = action("kernel_module", name="no-such-module")
    mitigate("present", kept_out)
    lab.exec("web1", ["mkdir", "-p", f"/lib/modules/{os.uname().release}"])
    lab.write_file("web1", f"/lib/modules/{os.uname().release}/modules.builtin", "")
    assert verdict("kernel_module", name="no-such-module", loadable=False, loaded=False) == "pass"
    lab.write_file("web1", "/srv/lib/half.jar", "PK")
    mitigate("present", asked[0])
    assert verdict("archive_member", paths=["/srv/lib/half.jar"], member=MEMBER) == "unknown"


# --- service: what starts it again

SOCKET = "[Socket]\nListenStream=127.0.0.1:4712\n[Install]\nWantedBy=sockets.target\n"
ALIVE = "[Service]\nExecStart=/bin/sleep infinity\n"
TIMER = "[Timer]\nOnCalendar=*-*-* 03:00\n[Install]\nWantedBy=timers.target\n"
KNOCK = "import socket; socket.create_connection(('127.0.0.1', 4712), timeout=2)"


@pytest.fixture
def triggered(lab, acting):
    """demo.service, which demo.socket starts; nightly.service, which nightly.timer starts."""
    units = {"demo.socket": SOCKET, "demo.service": ALIVE, "nightly.timer": TIMER, "nightly.service": ALIVE}
    for name, text in units.items():
        lab.write_file("web1", f"/etc/systemd/system/{name}", text)
    lab.exec("web1", ["systemctl", "daemon-reload"])
    lab.exec("web1", ["systemctl", "enable", "--now", "demo.socket", "nightly.timer"])
    lab.exec("web1", ["systemctl", "start", "demo.service", "nightly.service"])
    yield acting
    acting.lift_all()
    lab.exec("web1", ["systemctl", "disable", "--now", *units], check=False)


def test_service_that_a_socket_starts_again_is_told(triggered):
    told = triggered("present", action("service", name="demo", running=False))
    assert "demo.service is triggered by demo.socket, which is active: name that too, or mask it" in told["reason"]
    assert triggered("present", action("service", name="nightly", running=False), name="CVE-2")["reason"] == (
        "in force; nightly.service is triggered by nightly.timer, which is active: name that too, or mask it"
    )


@pytest.mark.parametrize("order", [("demo.socket", "demo"), ("demo", "demo.socket")])
def test_service_and_its_socket_stopped_together_come_back(lab, says, triggered, order):
    down = [action("service", name=name, running=False) for name in order]
    told = triggered("present", *down)
    assert (told["state"], told["reason"].partition(";")[0]) == ("applied", "in force")
    assert lab.exec("web1", ["python3", "-c", KNOCK], check=False).returncode == 1
    assert says("systemctl", "is-active", "demo.service", "demo.socket").split() == ["inactive", "inactive"]
    told = triggered("absent", *down)
    assert told["state"] == "lifted", told["reason"]
    assert says("systemctl", "is-active", "demo.service", "demo.socket").split() == ["active", "active"]


def test_timer_stopped_and_disabled_comes_back(says, triggered):
    down = action("service", name="nightly.timer", running=False, enabled=False)
    assert triggered("present", down)["state"] == "applied"
    assert says("systemctl", "is-active", "nightly.timer") == "inactive"
    assert triggered("absent", down)["state"] == "lifted"
    assert says("systemctl", "is-enabled", "nightly.timer") == "enabled"
    assert says("systemctl", "is-active", "nightly.timer") == "active"


# --- last, since it ends what the others have started


def test_firewall_is_there_again_after_a_boot(lab, mitigate, server):
    mitigate("present", closing(server))
    lab.kill("web1")
    lab.start("web1")
    assert "stopgap_tcp_4711" in lab.exec("web1", ["nft", "list", "tables"]).stdout
    assert mitigate("absent", closing(server))["state"] == "lifted"
