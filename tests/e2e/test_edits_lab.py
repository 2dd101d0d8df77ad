"""Edits of files, users and mounts on a real host, with the checkers of the daemons: done, seen, taken back exactly."""

import pytest

from stopgap.lab import HostSpec
from tests.e2e.acting import action
from tests.labs import lab_of

pytestmark = pytest.mark.lab
SMB, SSHD, NGINX, SUDO = "/etc/samba/smb.conf", "/etc/ssh/sshd_config", "/etc/nginx/nginx.conf", "/etc/sudoers"
KEPT = [SMB, SSHD, NGINX, SUDO, "/etc/fstab", "/etc/passwd", "/etc/group", "/etc/gshadow", "/etc/sudoers.d"]


@pytest.fixture(scope="module")
def lab():
    with lab_of("edits", HostSpec("web1", "bookworm", ("nginx", "samba-common-bin", "sudo"))) as found:
        found.exec("web1", ["useradd", "--create-home", "--shell", "/bin/bash", "eve"])
        for name in ("adm", "staff"):
            for user in ("daemon", "eve", "bin"):
                found.exec("web1", ["gpasswd", "-a", user, name])
        found.exec("web1", ["mkdir", "/srv/data"])
        found.write_file("web1", "/etc/fstab", "# fstab\ntmpfs\t/srv/data tmpfs\tdefaults,size=1m  0 0\n")
        found.exec("web1", ["mount", "/srv/data"])
        yield found


@pytest.fixture
def seen(lab):
    """Contents, owner, mode; and modification times of what we write ourselves."""

    kept, timed = " ".join(KEPT), " ".join([SMB, SSHD, NGINX, SUDO, "/etc/fstab"])
    script = f"""find {kept} -type f -exec sha256sum {{}} + | sort
        find {kept} -printf '%p %m %U:%G\\n' | sort
        stat -c '%n %y' {timed}
        findmnt -n -o OPTIONS /srv/data"""

    def look():
        return lab.exec("web1", ["sh", "-c", script]).stdout

    return look


SMB3 = action("ini_option", path=SMB, section="global", option="Server Min Protocol", value="SMB3_00")


@pytest.mark.parametrize(
    ("wanted", "asked", "shown"),
    [
        (
            action("ini_option", **SMB3["params"], validate=["testparm", "-s", "%s"]),
            ["testparm", "-s", "--parameter-name", "server min protocol"],
            "SMB3_00",
        ),
        (
            action(
                "line",
                path=SSHD,
                match=r"^#?\s*X11Forwarding",
                line="X11Forwarding no",
                validate=["sshd", "-t", "-f", "%s"],
            ),
            ["sshd", "-T"],
            "x11forwarding no",
        ),
        (
            action(
                "line",
                path=NGINX,
                match=r"^\s*ssl_protocols",
                line="\tssl_protocols TLSv1.3;",
                validate=["nginx", "-t"],
            ),
            ["nginx", "-T"],
            "\tssl_protocols TLSv1.3;\n",
        ),
        (
            action("line", path=SUDO, line="Defaults use_pty, !visiblepw", validate=["visudo", "-cf", "%s"]),
            ["cat", SUDO],
            "Defaults use_pty, !visiblepw\n",
        ),
        (action("user_setting", user="eve", not_in_groups=["adm", "staff"]), ["id", "-nG", "eve"], "eve\n"),
        (action("user_setting", user="eve", in_groups=["games"]), ["id", "-nG", "eve"], "games"),
        (
            action("user_setting", user="eve", **{"shell": "/usr/sbin/nologin"}),
            ["getent", "passwd", "eve"],
            "nologin\n",
        ),
        (
            action("user_setting", user="eve", sudoers="eve ALL=(root) NOPASSWD: /usr/bin/true"),
            ["sudo", "-l", "-U", "eve"],
            "NOPASSWD: /usr/bin/true",
        ),
        (
            action("mount_option", path="/srv/data", options=["noexec", "nosuid"]),
            ["findmnt", "-n", "-o", "OPTIONS", "/srv/data"],
            "nosuid,noexec",
        ),
        (action("mount_option", path="/srv/data", options=["ro"]), ["cat", "/etc/fstab"], "defaults,size=1m,ro  0 0"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_in_effect_and_taken_back_identical(lab, mitigate, seen, wanted, asked, shown):
    before = seen()
    predicted = mitigate("present", wanted, check=True)
    assert (predicted["state"], seen()) == ("would_apply", before)
    told = mitigate("present", wanted)
    assert told["state"] == "applied", told["reason"]
    assert [item["after"] for item in told["actions"]] == [item["after"] for item in predicted["actions"]]
    assert shown in lab.exec("web1", asked).stdout
    assert seen() != before
    assert not mitigate("present", wanted)["changed"]
    assert mitigate("absent", wanted)["state"] == "lifted"
    assert seen() == before


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            action("line", path=SSHD, match="^#?Port", line="NoSuchOption yes", validate=["sshd", "-t", "-f", "%s"]),
            "Bad configuration option: NoSuchOption",
        ),
        (
            action("line", path=NGINX, match="^worker_processes", line="worker_things 1;", validate=["nginx", "-t"]),
            'unknown directive "worker_things"',
        ),
        (
            action(
                "ini_option",
                path=SMB,
                section="global",
                option="security",
                value="nonsense",
                validate=["testparm", "-s", "%s"],
            ),
            "Ignoring invalid value 'nonsense' for parameter 'security'",
        ),
        (
            action("line", path=SUDO, line="eve MAY do everything", validate=["visudo", "-cf", "%s"]),
            "syntax error",
        ),
        (action("user_setting", user="eve", sudoers="eve MAY do everything"), "syntax error"),
        (action("user_setting", user="nobody-such", **{"shell": "/bin/sh"}), "there is no user nobody-such"),
        (action("user_setting", user="eve", in_groups=["no-such"]), "there is no group no-such"),
        (action("user_setting", user="eve", **{"shell": "/bin/none"}), "is no program on this host"),
        (action("user_setting", user="eve", not_in_groups=["eve"]), "own group"),
        (action("mount_option", path="/srv", options=["noexec"]), "/srv is not a mount point"),
        (action("mount_option", path="/proc", options=["nodev"]), "has no line in /etc/fstab"),
        (action("mount_option", path="/srv/data", options=["hidepid"]), "what takes hidepid back is not known"),
        (action("line", path="/etc/none.conf", line="x"), "nothing to edit"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_refused_is_put_back_in_the_checkers_words(mitigate, seen, wanted, said):
    before = seen()
    told = mitigate("present", wanted)
    assert told["state"] == "failed", told
    assert said in told["reason"]
    assert seen() == before


def test_overlapping_remedies_in_either_order(mitigate, seen):
    before = seen()
    one = [
        action("ini_option", **SMB3["params"]),
        action("user_setting", user="eve", not_in_groups=["adm"]),
        action("mount_option", path="/srv/data", options=["noexec", "nodev"]),
    ]
    two = [
        action("line", path=SMB, match="server min protocol", line="   server min protocol = SMB3"),
        action("user_setting", user="eve", not_in_groups=["adm", "staff"], **{"shell": "/usr/sbin/nologin"}),
        action("mount_option", path="/srv/data", options=["noexec"]),
    ]
    for first in ("CVE-1", "CVE-2"):
        assert mitigate("present", *one, name="CVE-1")["state"] == "applied"
        assert mitigate("present", *two, name="CVE-2")["state"] == "applied"
        assert not mitigate("present", *one, name="CVE-1")["changed"]
        assert mitigate("absent", name=first)["state"] == "lifted"
        assert "noexec" in seen().splitlines()[-1]
        assert mitigate("absent", name="CVE-1" if first == "CVE-2" else "CVE-2")["state"] == "lifted"
        assert seen() == before


def test_immutable_means_root_too(lab, mitigate):
    lock = action("file", path="/etc/motd.locked", content="x\n", immutable=True)
    told = mitigate("present", lock)
    if "no immutable attribute" in told["reason"]:
        pytest.skip("the file system under the lab has no immutable attribute")
    assert told["state"] == "applied", told["reason"]
    assert lab.exec("web1", ["rm", "-f", "/etc/motd.locked"], check=False).returncode == 1
    assert mitigate("absent", lock)["state"] == "lifted"
    assert lab.exec("web1", ["test", "-e", "/etc/motd.locked"], check=False).returncode == 1
