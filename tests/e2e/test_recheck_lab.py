"""The timer of docs/examples/recheck on a real systemd, and what is due on a real host."""

import configparser
import io
import json
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from stopgap.demo.story import prepare
from stopgap.lab import HostSpec
from tests.books import Books
from tests.labs import lab_of

pytestmark = pytest.mark.lab
EXAMPLES = Path(__file__).parents[2] / "docs/examples/recheck"
HOST, REMEDY = "web1", "CVE-2023-44487"
LIMITS = "/etc/nginx/conf.d/stopgap-CVE-2023-44487.conf"
# In the place of stopgap: says how it was started, and tries what the unit should let it do and what it should not.
STANDIN = r"""#!/usr/bin/python3
import json, os, sys
def may_write(folder):
    try:
        with open(os.path.join(folder, "probe"), "w"):
            return True
    except OSError:
        return False
folders = [os.environ["STOPGAP_STATE_DIR"], os.path.expanduser("~"), "/dev/shm", "/tmp", "/etc", "/usr", "/var/lib"]
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
told = {"argv": sys.argv[1:], "cwd": os.getcwd(), "uid": os.getuid(), "url": os.environ.get("STOPGAP_LEDGER_URL"),
        "writes": [folder for folder in folders if may_write(folder)], "no_new": status["NoNewPrivs"].strip(),
        "caps": int(status["CapBnd"], 16)}
with open(os.path.join(os.environ["STOPGAP_STATE_DIR"], "told"), "w") as file:
    json.dump(told, file)
"""


@pytest.fixture(scope="module")
def lab():
    with lab_of("recheck", HostSpec(HOST, "bookworm", ("nginx",))) as lab:
        prepare(lab, {})
        yield lab


def run(lab, command):
    return lab.exec(HOST, ["sh", "-c", command], check=False)


def test_the_timer_fires_and_the_service_can_do_no_more_than_it_should(lab):
    for unit in ("stopgap-recheck.service", "stopgap-recheck.timer"):
        lab.write_file(HOST, f"/etc/systemd/system/{unit}", (EXAMPLES / unit).read_text())
    lab.write_file(HOST, "/usr/local/bin/stopgap", STANDIN)
    lab.write_file(HOST, "/etc/stopgap/recheck.env", "STOPGAP_LEDGER_URL=postgresql://db/stopgap\n")
    made = run(lab, "chmod 755 /usr/local/bin/stopgap; chmod 600 /etc/stopgap/recheck.env; useradd --system -m stopgap")
    assert made.returncode == 0, made.stderr
    checked = run(lab, "cd /etc/systemd/system && systemd-analyze verify stopgap-recheck.timer stopgap-recheck.service")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

    # sooner than in ten minutes, all else as it stands there
    drop_in = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=100ms\n"
    lab.write_file(HOST, "/etc/systemd/system/stopgap-recheck.timer.d/soon.conf", drop_in)
    assert run(lab, "systemctl daemon-reload && systemctl start stopgap-recheck.timer").returncode == 0
    told = wait_for(lambda: run(lab, "cat /var/lib/stopgap-controller/told").stdout)
    journal = run(lab, "systemctl stop stopgap-recheck.timer; journalctl -u stopgap-recheck.service --no-pager").stdout
    told = json.loads(told)
    assert told["argv"] == ["recheck", "--due", "-i", "/etc/stopgap/hosts.yml"], journal
    assert told["cwd"] == "/etc/stopgap"
    assert told["uid"] == int(run(lab, "id -u stopgap").stdout)
    assert told["url"] == "postgresql://db/stopgap"
    assert told["writes"] == ["/var/lib/stopgap-controller", "/home/stopgap", "/dev/shm", "/tmp"]
    assert (told["no_new"], told["caps"]) == ("1", 0)
    assert run(lab, "stat -c %a /var/lib/stopgap-controller").stdout.strip() == "700"
    assert run(lab, "test -e /tmp/probe").returncode != 0  # it was a /tmp of its own


@pytest.fixture(scope="module")
def wheels(wheel, tmp_path_factory):
    """stopgap and all it needs, as Debian 12's Python takes it: a tar of site-packages."""
    folder = tmp_path_factory.mktemp("wheels") / "all"  # not its own: that one is closed to others
    there = ("--target", folder, "--python-version", "3.11", "--only-binary", ":all:")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *there, wheel], check=True, capture_output=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, ".")
    return packed.getvalue()


# What docs/how-to/recheck.md says, but for pip, which would want the network.
INSTALL = """
set -e
python3 -m venv --without-pip /opt/stopgap
cd /opt/stopgap/lib/python3.11/site-packages
tar -x --no-same-owner
mv bin/* /opt/stopgap/bin/
sed -i '1s|^#!.*|#!/opt/stopgap/bin/python3|' $(grep -lI '^#!.*python' /opt/stopgap/bin/*)
ln -sf /opt/stopgap/bin/stopgap /usr/local/bin/stopgap
id stopgap || useradd --system --create-home stopgap
runuser -u stopgap -- sh -c 'umask 077; mkdir ~/.ssh; ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id_ed25519'
runuser -u stopgap -- sh -c 'ssh-keyscan -t ed25519 127.0.0.1 > ~/.ssh/known_hosts 2> /dev/null'
cat ~stopgap/.ssh/id_ed25519.pub >> ~ops/.ssh/authorized_keys
install -d -m 700 -o stopgap -g stopgap /var/lib/stopgap-controller
"""
STATE = "/var/lib/stopgap-controller"  # as the service has it
INVENTORY = f"all: {{hosts: {{{HOST}: {{ansible_host: 127.0.0.1, ansible_user: ops}}}}}}\n"


@pytest.fixture
def controller(lab, wheels):
    """The host as a controller of itself: the example's user, units and folders, and the real stopgap."""
    for unit in ("stopgap-recheck.service", "stopgap-recheck.timer"):
        lab.write_file(HOST, f"/etc/systemd/system/{unit}", (EXAMPLES / unit).read_text())
    lab.write_file(HOST, "/etc/stopgap/hosts.yml", INVENTORY)
    lab.exec(HOST, ["rm", "-rf", "/etc/stopgap/recheck.env", STATE])
    done = lab.exec(HOST, ["sh", "-c", INSTALL], check=False, input=wheels)
    assert done.returncode == 0, done.stderr
    assert run(lab, "systemctl daemon-reload").returncode == 0
    return lab


def as_stopgap(lab, *words):
    """The service's user, at a terminal."""
    command = ["runuser", "-u", "stopgap", "--", "env", "-C", "/etc/stopgap", f"STOPGAP_STATE_DIR={STATE}"]
    done = lab.exec(HOST, [*command, *words, "-i", "/etc/stopgap/hosts.yml"], check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def start(lab):
    """(how the service ended, what it said)"""
    here = run(lab, "journalctl --lines 1 --show-cursor").stdout.rpartition("-- cursor: ")[2].strip()
    run(lab, "systemctl start stopgap-recheck.service; journalctl --sync")
    ended = run(lab, "systemctl show -P ExecMainStatus stopgap-recheck.service").stdout.strip()
    told = run(lab, f"journalctl --unit stopgap-recheck.service --output json --after-cursor '{here}'").stdout
    lines = [json.loads(line) for line in told.splitlines()]  # systemd's own among them
    return int(ended), "\n".join(one["MESSAGE"] for one in lines if one["SYSLOG_IDENTIFIER"] == "stopgap")


def test_the_service_proves_what_is_due_and_fails_when_something_is_lost(controller, tmp_path):
    lab, elsewhere = controller, Books(controller, tmp_path / "elsewhere")
    assert elsewhere.stopgap("mitigate", REMEDY).returncode == 0
    ended, said = start(lab)
    assert (ended, "there is no ledger" in said) == (3, True), said
    as_stopgap(lab, "stopgap", "sync")
    ended, said = start(lab)
    assert ended == 0, said
    assert "1 proof due on 1 host:\nhost  remedy          state" in said
    assert re.search(rf"{HOST} +{REMEDY} +mitigated", said)
    assert start(lab) == (0, "")  # nothing is due

    run(lab, f"rm {LIMITS}; nginx -s reload; rm {STATE}/ledger.sqlite*")
    as_stopgap(lab, "stopgap", "sync")
    ended, said = start(lab)
    assert ended == 4, said
    assert run(lab, "systemctl is-failed stopgap-recheck.service").stdout == "failed\n"
    done = elsewhere.stopgap("lift", REMEDY, "--force", "--reason", "end of a test")
    assert not elsewhere.held(HOST), done.stdout


def wait_for(ask, seconds=30):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "the timer did not fire"
        time.sleep(0.3)
    return found


def test_the_units_say_when():
    timer = configparser.ConfigParser()
    timer.read(EXAMPLES / "stopgap-recheck.timer")
    assert dict(timer["Timer"]) == {"oncalendar": "*:0/10", "randomizeddelaysec": "3min", "persistent": "true"}


def test_the_cron_line_is_what_cron_takes():
    (line,) = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if "recheck --due" in line]
    assert re.fullmatch(r"\*/10 (\* ){4}stopgap cd /etc/stopgap && timeout 50m stopgap recheck --due -i \S+", line)
    assert "%" not in line  # cron's line break


def test_cron_and_systemd_keep_one_ledger():
    service = (EXAMPLES / "stopgap-recheck.service").read_text()
    (told,) = re.findall(r"^Environment=(STOPGAP_STATE_DIR=.*)$", service, re.MULTILINE)
    assert told in (EXAMPLES / "crontab").read_text().splitlines()


def test_what_a_ledger_found_is_due_and_then_is_not_and_what_was_undone_is_lost(lab, tmp_path):
    before = Books(lab, tmp_path / "before")
    assert before.stopgap("mitigate", REMEDY).returncode == 0
    books = Books(lab, tmp_path / "state")
    assert books.stopgap("sync").returncode == 0  # this ledger never saw it proven
    done = books.stopgap("recheck", "--due", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [(one["host"], one["remedy"], one["proven_at"]) for one in told["due"]] == [(HOST, REMEDY, None)]
    assert [case["remedy"] for case in told["cases"][HOST]] == [REMEDY]
    (case,) = books.read("status", "--host", HOST)["cases"]
    assert case["state"] == "mitigated"
    done = books.stopgap("recheck", "--due")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    # of several remedies each host is asked only its own
    words = ("-e", json.dumps({"stopgap_due": {HOST: [REMEDY]}}), "--json")
    done = books.stopgap("recheck", REMEDY, "CVE-2024-6387", *words)
    assert [case["remedy"] for case in json.loads(done.stdout)["cases"][HOST]] == [REMEDY], done.stderr
    assert len(books.read("status")["cases"]) == 1

    run(lab, f"rm {LIMITS}; nginx -s reload")
    late = Books(lab, tmp_path / "late")
    assert late.stopgap("sync").returncode == 0
    done = late.stopgap("recheck", "--due")
    assert done.returncode == 4, done.stdout
    assert "1 proof due on 1 host:\nhost  remedy          state" in done.stdout
    assert "never proven" in done.stdout
