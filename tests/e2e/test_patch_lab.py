"""The fix on real hosts: real packages, real apt, real daemons. Each test has a host of its own, born vulnerable."""

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest

from stopgap.lab import HostSpec
from tests.e2e.target_side import assess, bring, patch, remedy
from tests.labs import lab_of

pytestmark = pytest.mark.lab

TOP = Path(__file__).parents[2]
NGINX = remedy("nginx", "debian-12", "1.22.1-9+deb12u11", then=[{"type": "restart", "params": "nginx"}])
REDIS = remedy("redis-server", "debian-12", "5:7.0.15-1~deb12u10", then=[{"type": "restart", "params": "redis-server"}])
REDIS_11 = remedy("redis-server", "debian-11", "5:6.0.16-1+deb11u3", then=REDIS["fix"]["then"])
CUPS = remedy("cups-browsed", "debian-11", "1.28.7-1+deb11u3", then=[{"type": "restart", "params": "cups-browsed"}])
CONF = "/etc/cups/cups-browsed.conf"
LOCAL_REPOSITORY = "deb [trusted=yes] file:/srv/repository ./\n"


@pytest.fixture(scope="module")
def lab():
    with lab_of("patch") as made:
        yield made


@pytest.fixture(scope="module")
def fresh(lab):
    """Makes another host: `fresh("bookworm")`."""
    packages = {"bookworm": ("nginx", "redis-server"), "bullseye": ("cups-browsed", "redis-server")}
    numbers = itertools.count(1)

    def make(suite):
        name = f"h{next(numbers)}"
        lab.up([HostSpec(name, suite, packages[suite])])
        bring(lab, name)
        return name

    return make


def version(lab, host, package):
    return lab.exec(host, ["dpkg-query", "-W", "-f", "${Version}", package]).stdout


def pid_of(lab, host, unit):
    return lab.exec(host, ["systemctl", "show", "--value", "--property=MainPID", unit]).stdout.strip()


def run_module(lab, host, module, *options, **arguments):
    command = [
        TOP / ".venv/bin/ansible",
        host,
        "-i",
        lab.inventory,
        "-b",
        "-m",
        f"stopgap.remediation.{module}",
        "-a",
        json.dumps(arguments),
        *options,
    ]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, env=plain)
    before, _arrow, answer = done.stdout.partition("=> ")
    assert answer, done.stdout + done.stderr
    return before, json.loads(answer)


def test_too_old_without_the_security_archive_and_installed_with_it(lab, fresh):
    host = fresh("bookworm")
    _, told = run_module(lab, host, "assess", remedies=[NGINX])
    assert [(one["state"], one["code"]) for one in told["assessments"]] == [("exposed", "below_fixed")]
    assert told["system"]["distro"] == "debian-12"
    result = patch(lab, host, NGINX)
    assert (result["state"], result["code"], result["changed"]) == ("refused", "candidate_too_old", False)
    assert result["reason"] == "nginx: candidate 1.22.1-9+deb12u9 < required 1.22.1-9+deb12u11"

    lab.security(host)
    diff, told = run_module(lab, host, "patch", "--diff", remedies=[NGINX])
    result = told["results"][0]
    assert (result["state"], result["restarted"], result["old_code"]) == ("installed", ["nginx"], [])
    assert told["changed"] is True
    assert "-nginx 1.22.1-9+deb12u9\n+nginx 1.22.1-9+deb12u11\n" in diff
    assert assess(lab, host, NGINX)["code"] == "awaiting_proof"
    again = patch(lab, host, NGINX)
    assert (again["state"], again["changed"], again["restarted"]) == ("already", False, [])


def test_check_mode_changes_nothing(lab, fresh):
    host = fresh("bookworm")
    lab.security(host)
    result = patch(lab, host, NGINX, check=True)
    assert (result["state"], result["changed"]) == ("would_install", True)
    assert result["packages"][0]["candidate"].startswith("1.22.1-9+deb12u")
    assert version(lab, host, "nginx") == "1.22.1-9+deb12u9"


# bullseye: the kernel's name of the program; bookworm: systemd mounts it by itself, and it loses its name when replaced
@pytest.mark.parametrize(
    ("suite", "fix", "file"),
    [("bullseye", REDIS_11, "/usr/bin/redis-check-rdb"), ("bookworm", REDIS, "/usr/bin/redis-server")],
)
def test_a_daemon_known_to_the_kernel_by_another_name_is_old_code(lab, fresh, suite, fix, file):
    host = fresh(suite)
    lab.security(host)
    lab.write_file(host, "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)  # the package may not restart it
    result = patch(lab, host, fix, restart=False)
    assert result["state"] == "installed"
    assert [(old["name"], old["unit"], old["files"]) for old in result["old_code"]] == [
        ("redis-server", "redis-server.service", [file])
    ]
    assert assess(lab, host, fix)["code"] == "old_code"
    # a run that was cut short between installing and restarting is finished by the next
    again = patch(lab, host, fix)
    assert (again["state"], again["restarted"], again["old_code"]) == ("already", ["redis-server"], [])


def test_nothing_is_old_code_on_a_host_as_it_was_born(lab, fresh):
    host = fresh("bookworm")
    code = (
        "import sys; sys.path.insert(0, '/opt/stopgap-tests')\n"
        "from ansible_collections.stopgap.remediation.plugins.module_utils import processes\n"
        "print(processes.old_code(sys.argv[1:]))"
    )
    packages = lab.exec(host, ["dpkg-query", "-W", "-f", "${Package}\n"]).stdout.split()
    assert lab.exec(host, ["python3", "-c", code, *packages]).stdout == "[]\n"


def test_an_edited_conffile_is_kept_and_told_and_replaced_when_asked(lab, fresh):
    host = fresh("bullseye")
    lab.security(host)
    edit = "s/^BrowseRemoteProtocols.*/BrowseRemoteProtocols dnssd cups/; $a # edited here"
    lab.exec(host, ["sed", "-i", edit, CONF])
    result = patch(lab, host, CUPS)
    assert result["state"] == "installed"
    assert result["conffiles"] == [{"path": CONF, "kept": "local", "other": f"{CONF}.dpkg-dist"}]
    assert "BrowseRemoteProtocols dnssd cups" in lab.exec(host, ["cat", CONF]).stdout
    # left from an earlier upgrade: told again
    assert patch(lab, host, CUPS)["conffiles"] == result["conffiles"]

    result = patch(lab, host, CUPS, conffiles="replace")
    assert (result["state"], result["code"]) == ("installed", "conffiles_replaced")
    assert result["restarted"] == ["cups-browsed"]
    assert result["conffiles"] == [{"path": CONF, "kept": "package", "other": f"{CONF}.dpkg-old"}]
    assert "BrowseRemoteProtocols dnssd\n" in lab.exec(host, ["cat", CONF]).stdout
    assert "# edited here" in lab.exec(host, ["cat", f"{CONF}.dpkg-old"]).stdout
    assert patch(lab, host, CUPS, conffiles="replace")["changed"] is False


def test_an_unedited_conffile_is_the_packages_without_a_word(lab, fresh):
    host = fresh("bullseye")
    lab.security(host)
    result = patch(lab, host, CUPS)
    assert (result["state"], result["conffiles"]) == ("installed", [])
    assert "BrowseRemoteProtocols dnssd\n" in lab.exec(host, ["cat", CONF]).stdout


def hold_lock(lab, host, path, seconds):
    code = (
        f"import fcntl, time; handle = open({path!r}, 'a'); fcntl.lockf(handle, fcntl.LOCK_EX); "
        f"open('/run/held', 'w').close(); time.sleep({seconds})"
    )
    lab.exec(host, ["systemd-run", "--unit=holder", "--collect", "python3", "-c", code])
    lab.exec(host, ["sh", "-c", "for n in $(seq 100); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1"])


@pytest.mark.parametrize("path", ["/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"])
def test_who_holds_a_lock_is_told_when_the_limit_passes(lab, fresh, path):
    host = fresh("bookworm")
    hold_lock(lab, host, path, 600)
    result = patch(lab, host, NGINX, lock_timeout=1)
    assert (result["state"], result["code"]) == ("refused", "lock_timeout")
    assert result["reason"] == f"{path} is still held by process {pid_of(lab, host, 'holder')} (python3)"


def test_a_lock_that_is_released_in_time_is_waited_for(lab, fresh):
    host = fresh("bookworm")
    hold_lock(lab, host, "/var/lib/dpkg/lock-frontend", 5)
    assert patch(lab, host, NGINX, lock_timeout=60)["code"] == "candidate_too_old"


def test_a_repository_that_is_down_is_named_where_it_matters_only(lab, fresh):
    host = fresh("bookworm")
    lab.write_file(host, "/etc/apt/sources.list.d/down.list", "deb http://127.0.0.1:9/debian bookworm-security main\n")
    result = patch(lab, host, NGINX)
    assert (result["state"], result["code"]) == ("refused", "repository_down")
    assert "required 1.22.1-9+deb12u11" in result["reason"]
    assert "127.0.0.1:9" in result["reason"]
    lab.exec(host, ["rm", "/etc/apt/sources.list.d/down.list"])
    lab.security(host)
    lab.write_file(host, "/etc/apt/sources.list.d/down.list", "deb http://127.0.0.1:9/other bookworm main\n")
    assert patch(lab, host, NGINX)["state"] == "installed"


def test_what_stands_in_the_way_on_the_host_is_told_and_left_alone(lab, fresh):
    host = fresh("bookworm")
    lab.security(host)
    lab.exec(host, ["apt-mark", "hold", "nginx"])
    assert patch(lab, host, NGINX)["code"] == "held"
    lab.exec(host, ["apt-mark", "unhold", "nginx"])
    # another package, which apt would finish on the way
    edit = "/^Package: redis-server$/,/^$/ s/^Status: .*/Status: install ok half-configured/"
    lab.exec(host, ["sed", "-i", edit, "/var/lib/dpkg/status"])
    result = patch(lab, host, NGINX)
    assert (result["state"], result["code"]) == ("refused", "broken_package")
    assert "redis-server is half-configured" in result["reason"]
    assert assess(lab, host, REDIS)["code"] == "broken_package"
    assert lab.exec(host, ["dpkg-query", "-W", "-f", "${db:Status-Status}", "redis-server"]).stdout == "half-configured"


def offer(lab, host, package, number, *fields):
    """A repository on the host that lists a version whose .deb does not exist."""
    entry = [
        f"Package: {package}",
        f"Version: {number}",
        "Architecture: amd64",
        "Maintainer: none <none@localhost>",
        f"Filename: ./{package}.deb",
        "Size: 1000",
        f"SHA256: {'0' * 64}",
        "Description: none",
        *fields,
    ]
    lab.write_file(host, "/srv/repository/Packages", "\n".join(entry) + "\n")
    lab.write_file(host, "/etc/apt/sources.list.d/local.list", LOCAL_REPOSITORY)


def test_a_missing_package_keeps_back_its_own_remedy_only(lab, fresh):
    host = fresh("bookworm")
    lab.security(host)
    offer(lab, host, "redis-server", "5:7.0.15-1~deb12u99")
    redis, nginx = patch(lab, host, REDIS, NGINX)
    assert (redis["state"], redis["code"]) == ("refused", "download_failed")
    assert (nginx["state"], nginx["code"]) == ("installed", "installed")
    assert version(lab, host, "redis-server") == "5:7.0.15-1~deb12u7"


def test_nothing_is_removed_for_a_fix(lab, fresh):
    host = fresh("bookworm")
    offer(lab, host, "nginx", "1.22.1-9+deb12u99", "Conflicts: redis-server")
    result = patch(lab, host, NGINX)
    assert (result["state"], result["code"], result["changed"]) == ("refused", "removal_needed", False)
    assert version(lab, host, "redis-server") == "5:7.0.15-1~deb12u7"
