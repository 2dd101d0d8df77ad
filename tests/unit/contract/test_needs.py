"""What is read out of a remedy before it is tried."""

import os
import re

import pytest

from stopgap.contract import needs
from stopgap.contract.example import NoExample, example
from stopgap.remedy import load
from stopgap.remedy.actions import ACTIONS
from stopgap.remedy.catalogue import resolved

REMEDY = """apiVersion: stopgap/v1
id: CVE-2000-0001
revision: 1
title: t
affected:
  packages: [{{name: acme, fixed_in: {{debian-12: "2-1"}}}}]
  when: {when}
mitigations:
  - id: one
    title: t
    side_effect: s
    disruption: low
    actions: [{action}]
    checks: [{check}]
fix: {{packages: {fix}}}
checks:
  - package: {{name: acme}}
"""


@pytest.fixture
def read(tmp_path):
    def write(action, check="{service: {name: acme, running: true}}", when="[]", fix="[acme]"):
        file = tmp_path / "CVE-2000-0001.yml"
        file.write_text(REMEDY.format(action=action, check=check, when=when, fix=fix))
        return resolved(load(file), file)

    return write


SAMPLES = {
    "service": "{service: {name: acme, running: false}}",
    "sysctl": '{sysctl: {name: net.ipv4.tcp_sack, value: "0"}}',
    "file_mode": '{file_mode: {path: /usr/bin/acme, mode: "0755"}}',
    "file": "{file: {path: /etc/acme/off, absent: true}}",
    "line": "{line: {path: /etc/acme.conf, match: '^open = yes', absent: true}}",
    "ini_option": "{ini_option: {path: /etc/acme.ini, section: a, option: b, absent: true, validate: [nginx, -t]}}",
    "sshd_option": '{sshd_option: {name: LoginGraceTime, value: "0"}}',
    "kernel_module": "{kernel_module: {name: dccp}}",
    "package": "{package: {name: telnetd, removed: true}}",
    "firewall": "{firewall: {protocol: tcp, port: 445}}",
    "archive_member": "{archive_member: {paths: [/opt/app], member: a/B.class}}",
    "user_setting": "{user_setting: {user: deploy, not_in_groups: [docker]}}",
    "mount_option": "{mount_option: {path: /srv, options: [noexec]}}",
    "command": "{command: {check: {run: rndc status, stdout_has: x}, apply: {run: rndc a}, revert: {run: rndc b}}}",
    "tasks": "{tasks: {apply: on.yml, revert: off.yml}}",
}


def test_there_is_a_sample_of_every_action():
    assert set(SAMPLES) == set(ACTIONS)


@pytest.mark.parametrize("kind", sorted(set(ACTIONS) - {"sysctl", "tasks"}))
def test_every_action_that_changes_something_needs_that_it_is_there(read, kind):
    found = needs.read_needs(read(SAMPLES[kind], check="{socket: {listening: false, address: 'tcp://9'}}"))
    assert found != needs.read_needs(read(SAMPLES["sysctl"], check="{socket: {listening: false, address: 'tcp://9'}}"))


def test_a_line_that_shall_go_has_to_be_there_first(read):
    (file,) = needs.read_needs(read(SAMPLES["line"])).files
    assert re.search(file["pattern"], file["text"], re.MULTILINE)


def test_a_module_that_shall_be_kept_out_is_one_that_could_be_loaded(read):
    (file,) = needs.read_needs(read("{kernel_module: {name: snd-pcm}}")).files
    assert file["path"] == f"/lib/modules/{os.uname().release}/modules.dep"
    for line in (file["text"], "kernel/sound/core/snd_pcm.ko.xz: kernel/sound/core/snd.ko.xz"):
        assert re.search(file["pattern"], line)
    assert not re.search(file["pattern"], "kernel/sound/core/snd.ko.xz:")


COMMAND = "{command: {check: {run: acme, stdout_has: x}, apply: {run: %s}, revert: {run: acme undo}}}"


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ('{sysctl: {name: user.max_user_namespaces, value: "0"}}', "the machine's own"),
        ("{kernel_module: {name: in-use}}", "loaded in the machine's own kernel"),
        (COMMAND % "sysctl -w kernel.dmesg_restrict=1", "`sysctl -w kernel.dmesg_restrict=1` is for the machine's own"),
        (COMMAND % "/sbin/rmmod acme", "`/sbin/rmmod acme` is for the machine's own kernel"),
        ('{file_mode: {path: /sys/kernel/debug, mode: "0700"}}', "the machine's own kernel's"),
    ],
)
def test_what_belongs_to_the_machine_is_not_tried(read, action, reason):
    (mitigation,) = read(action)["mitigations"]
    assert reason in needs.mitigation_not_here(mitigation, frozenset({"in_use"}))


def test_what_a_lab_host_has_of_its_own_is_tried(read):
    for sample in (SAMPLES["sysctl"], SAMPLES["kernel_module"], COMMAND % "sysctl -qw net.ipv4.tcp_sack=0"):
        (mitigation,) = read(sample)["mitigations"]
        assert needs.mitigation_not_here(mitigation, frozenset()) == ""


def test_windows_task_files_are_not_run_here(read, tmp_path):
    for name in ("on.yml", "off.yml"):
        (tmp_path / name).write_text("- ansible.windows.win_service: {name: Spooler}\n")
    assert "Windows" in needs.not_here(read(SAMPLES["tasks"]))


def test_a_kernel_that_would_have_to_run_is_not_proven_here(read):
    remedy = read(SAMPLES["sysctl"])
    assert needs.fix_not_here(remedy) == ""
    assert "share the machine's kernel" in needs.fix_not_here(remedy | {"fix": {"packages": ["linux-image-amd64"]}})


def test_a_program_that_a_condition_asks_is_needed(read):
    found = needs.read_needs(read(SAMPLES["sysctl"], when="[{command: {run: nginx -T, stdout_has: http2}}]"))
    assert "nginx" in found.programs


def test_a_file_that_a_condition_greps_is_given_what_it_looks_for(read):
    when = "[{command: {run: grep -h Port /etc/acme.conf, rc: [0, 1], stdout_matches: '^Port\\s+\\d+'}}]"
    (file,) = needs.read_needs(read(SAMPLES["sysctl"], when=when)).files
    assert (file["path"], file["text"]) == ("/etc/acme.conf", "Port 1")


def test_what_sshd_and_apache_are_to_say_of_their_configuration_is_put_into_it(read):
    when = (
        "[{command: {run: sshd -T, stdout_has: x11forwarding yes}},"
        " {command: {run: apache2ctl -M, stdout_matches: '\\bproxy_http_module'}},"
        " {command: {run: a2query -m http2, stdout_has: enabled}}]"
    )
    found = needs.read_needs(read(SAMPLES["sysctl"], when=when))
    (file,) = found.files
    assert (file["text"], file["unless"]) == ("x11forwarding yes", ["sshd", "-T"])
    assert file["path"].startswith("/etc/ssh/sshd_config.d/")
    assert found.commands == [["a2enmod", "-q", "proxy_http"], ["a2enmod", "-q", "http2"]]


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("find /opt -name acme*.conf", {"path": "/opt/acme*.conf", "mode": None, "glob": ["/opt", "acme*.conf"]}),
        ("find /usr/bin -name x -perm -4000", {"path": "/usr/bin/x", "mode": "4755", "glob": ["/usr/bin", "x"]}),
        ("ls /etc/acme", {"path": "/etc/acme"}),
    ],
)
def test_a_file_that_a_condition_looks_for_is_made(read, run, told):
    when = f"[{{command: {{run: {run!r}, stdout_has: e}}}}]"
    assert needs.read_needs(read(SAMPLES["sysctl"], when=when)).files == [told]


def test_an_archive_has_the_name_that_a_condition_looks_for(read):
    when = "[{command: {run: find /opt -name acme-core*.jar, stdout_has: acme}}]"
    (archive,) = needs.read_needs(read(SAMPLES["archive_member"], when=when)).archives
    assert archive["name"] == "acme-core*.jar"


def test_a_unit_that_a_condition_asks_after_runs(read):
    when = "[{command: {run: systemctl is-active acme-gate, rc: [0, 3], stdout_has: active}}]"
    assert "acme-gate" in needs.read_needs(read(SAMPLES["sysctl"], when=when)).units


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\s*remote_admin\s*=\s*(yes|on)",
        r"^[^#\n]*\blisten\s[^;#]*\bhttp2\b",
        r"(?i)^Browse(Remote)?Protocols\b[^#\n]*\bcups\b",
        r"^AllowUsers\s+\S+(?:\s+\S+){2}$",
        r"a{3}[b-d]+\d{2,}\.conf",
    ],
)
def test_an_example_is_found_by_its_pattern(pattern):
    assert re.search(pattern, example(pattern), re.MULTILINE)


def test_no_example_is_made_up_that_the_pattern_does_not_find():
    with pytest.raises(NoExample):
        example(r"a(?=b)c")
