"""What follows a fix on a real host: restarts within the remedy's limits, an ssh that stays open, a proven reboot.

The packages are stand-ins. A container has its machine's kernel and boot id: here a boot is known by the first process.
"""

import subprocess

import pytest

from stopgap.lab import HostSpec
from tests.books import Books
from tests.e2e import standins
from tests.e2e.standins import package
from tests.e2e.target_side import assess, bring, patch, remedy
from tests.labs import lab_of

pytestmark = pytest.mark.lab

REMEDY = """\
apiVersion: stopgap/v1
id: {id}
revision: 1
title: A stand-in
published: 2099-01-01
references: ["https://example.org/{name}"]
affected:
  packages: [{{name: {name}, fixed_in: {{debian-12: "2.0"}}}}]
mitigations: []
fix:
  packages: [{name}]
  then: {then}
  reboot: {reboot}
checks:
  - package: {{name: {name}, at_least: fixed}}
  - processes: {{not_on_old_code: {name}}}
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("again", HostSpec("one", "bookworm", ())) as made:
        yield made


class Story:
    def __init__(self, lab, folder, number, name, then="[]", reboot="if_required"):
        self.lab, self.id, self.name = lab, f"CVE-2099-{number}", name
        self.site, self.books = folder / "remedies", Books(lab, folder / "state")
        self.site.mkdir()
        self.write(then, reboot)
        files = {f"/usr/sbin/{name}": ("copy of /usr/bin/sleep", "0755")}
        made = standins.publish(lab, "one", package(name, "1.0", files), package(name, "2.0", files))
        standins.install(lab, "one", made[0])

    def write(self, then="[]", reboot="if_required"):
        text = REMEDY.format(id=self.id, name=self.name, then=then, reboot=reboot)
        (self.site / f"{self.id}.yml").write_text(text)

    def fix(self, code, *words):
        done = self.books.stopgap("fix", self.id, "--remedy-path", str(self.site), "--rollback", "never", *words)
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def state(self):
        return self.books.read("status")["cases"][0]["state"]


def test_limits_of_the_remedy_hold_and_what_is_left_keeps_the_case_open(lab, tmp_path):
    story = Story(
        lab, tmp_path, "0201", "usedd", "[{restart_users_of: {package: usedd, except: [spared], at_most: 1}}]"
    )
    for unit in ("first", "second", "spared"):
        lab.write_file("one", f"/etc/systemd/system/{unit}.service", "[Service]\nExecStart=/usr/sbin/usedd 100000\n")
    lab.exec("one", ["systemctl", "daemon-reload"])
    lab.exec("one", ["systemctl", "start", "first", "second", "spared"])
    told = story.fix(2)
    assert "usedd" in told
    assert story.state() == "patched"
    running = lab.exec("one", ["sh", "-c", "readlink /proc/$(systemctl show --value -p MainPID first)/exe"]).stdout
    assert running == "/usr/sbin/usedd\n"
    story.fix(2)  # one more; the spared one stays
    assert lab.exec("one", ["sh", "-c", "ls -l /proc/*/exe | grep -c 'usedd (deleted)'"]).stdout == "1\n"
    lab.exec("one", ["systemctl", "restart", "spared"])
    story.fix(0)
    assert story.state() == "fixed"


def test_an_sshd_that_would_not_come_back_is_not_restarted(lab, tmp_path):
    story = Story(lab, tmp_path, "0202", "sshish", "[{restart: ssh}]")
    lab.write_file("one", "/etc/ssh/sshd_config.d/broken.conf", "NoSuchOption yes\n")
    try:
        told = story.fix(2)
    finally:
        lab.exec("one", ["rm", "/etc/ssh/sshd_config.d/broken.conf"])
    assert "would not come back: sshd -t" in told
    assert "NoSuchOption" in told
    story.fix(0)  # the way in is still there


def test_a_host_that_lets_nobody_in_any_more_is_told_with_what_to_do(lab, tmp_path):
    story = Story(lab, tmp_path, "0203", "closing", "[{run: [systemctl, stop, ssh]}]")
    try:
        told = story.fix(2, "-e", "stopgap_reconnect_timeout=5")
    finally:
        lab.exec("one", ["systemctl", "start", "ssh"])
    assert "no new connection to one within 5 s" in told
    assert "sshd -t" in told


def test_a_session_opened_before_the_fix_is_told_and_not_ended(lab):
    bring(lab, "one")
    then = [{"type": "restart_users_of", "params": "openssh-server"}]
    words = ["ssh", "-F", lab.ssh_config, "one", "echo open; sleep 1000"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as session:
        try:
            assert session.stdout.readline() == b"open\n"
            # the same version once more stands in for the fixed one: the program is another file, which is what counts
            lab.exec("one", ["apt-get", "-q", "-y", "install", "--reinstall", "openssh-server"])
            version = lab.exec("one", ["dpkg-query", "-W", "-f", "${source:Version}", "openssh-server"]).stdout
            fix = remedy("openssh-server", "debian-12", version, then=then)
            result = patch(lab, "one", fix)
            assert {one["name"] for one in result["old_code"]} == {"sshd"}
            assert session.poll() is None
            assert assess(lab, "one", fix)["code"] == "old_code"
        finally:
            session.terminate()
    lab.exec("one", ["sh", "-c", "while ls -l /proc/*/exe | grep -q 'sshd (deleted)'; do sleep 0.1; done"])
    assert assess(lab, "one", fix)["code"] == "awaiting_proof"


def test_a_reboot_is_told_until_it_is_allowed_and_proven_after_it(lab, tmp_path):
    story = Story(lab, tmp_path, "0204", "bootd", reboot="always")

    def first_process():
        return lab.exec("one", ["cut", "-d", " ", "-f", "22", "/proc/1/stat"]).stdout

    before = first_process()
    assert "takes effect at the next boot" in story.fix(2)
    assert (story.state(), first_process()) == ("patched", before)
    story.fix(0, "--reboot", "allow")
    assert story.state() == "fixed"
    assert first_process() != before
