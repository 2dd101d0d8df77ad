"""Groups, shell and a rule of sudo, with the files of a pretend host; the tools write them as the real ones do."""

import collections
import os
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import user_setting
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

GROUP = "eve:x:1000:\ndocker:x:5:amy,eve,bob\nempty:x:6:\nmixed:x:7:amy,eve,bob\nother:x:8:eve,amy\n"
GSHADOW = "eve:!::\ndocker:!::amy,eve,bob\nempty:!::\nmixed:!::eve,bob,amy\nother:!::eve,amy\n"
Account = collections.namedtuple("Account", "pw_gid pw_shell")


@pytest.fixture
def host(target, monkeypatch):
    for name, text in (("group", GROUP), ("gshadow", GSHADOW), ("shell", "/bin/sh")):
        Path(target.path(name)).write_text(text)
        os.utime(target.path(name), ns=(10**18 + 7, 10**18 + 7))
    os.mkdir(target.path("sudoers.d"))
    target.included = "*"
    monkeypatch.setattr(user_setting, "GROUP", target.path("group"))
    monkeypatch.setattr(user_setting, "GSHADOW", target.path("gshadow"))
    monkeypatch.setattr(user_setting, "SUDOERS", target.path("sudoers.d"))
    for name in ("ACCOUNTS", "SHADOW"):
        monkeypatch.setattr(user_setting, name, target.path("shell"))

    def account(name):
        if name != "eve" or not Path(target.path("shell")).exists():
            raise KeyError(name)
        return Account(1000, Path(target.path("shell")).read_text())

    def members(group, change):
        for name in ("group", "gshadow"):
            lines = [line.split(":") for line in Path(target.path(name)).read_text().splitlines()]
            for line in lines:
                if line[0] == group:
                    line[3] = ",".join(change([one for one in line[3].split(",") if one]))
            Path(target.path(name)).write_text("".join(":".join(line) + "\n" for line in lines))

    def must(argv, **options):
        if "eve" in argv[1:] or "-M" in argv:
            account("eve")  # as the tools do, they want the user to be there
        if argv[0] == "usermod":
            Path(target.path("shell")).write_text(argv[2])
        elif argv[:2] == ["gpasswd", "-d"]:
            members(argv[3], lambda old: [one for one in old if one != argv[2]])
        elif argv[:2] == ["gpasswd", "-a"]:
            members(argv[3], lambda old: [*old, argv[2]])
        elif argv[:2] == ["gpasswd", "-M"]:
            members(argv[3], lambda old: argv[2].split(","))
        elif argv == ["visudo", "-c"]:
            return "".join(
                f"{path}: parsed OK\n" for path in sorted(Path(target.path("sudoers.d")).glob(target.included))
            )
        elif "ALL" not in Path(argv[-1]).read_text():
            raise ActionError("visudo: syntax error")

    monkeypatch.setattr(user_setting, "must", must)
    monkeypatch.setattr(user_setting.pwd, "getpwnam", account)
    return target


def setting(**params):
    return {"type": "user_setting", "params": {"user": "eve", **params}}


def contents(host):
    """With owners, modes and times."""
    return host.tree()


@pytest.mark.parametrize(
    "params",
    [
        {"not_in_groups": ["docker"]},
        {"in_groups": ["empty"]},
        {"in_groups": ["docker", "eve"], "not_in_groups": ["empty"]},
        {"shell": "/bin/true"},
        {"sudoers": "eve ALL=(root) !ALL"},
        {"not_in_groups": ["docker"], "in_groups": ["empty"], "shell": "/bin/true", "sudoers": "eve ALL=(root) !ALL"},
    ],
    ids=str,
)
def test_user_setting_and_back(host, params):
    before, wanted = contents(host), remedy("CVE-1", setting(**params))
    predicted = host.present(wanted, check=True)[0]["changed"]
    assert contents(host) == before
    assert host.present(wanted)[0]["changed"] == predicted == (contents(host) != before)
    assert not host.present(wanted)[0]["changed"]
    assert host.absent(wanted)[0]["state"] == "lifted"
    assert contents(host) == before


def test_user_setting_in_a_group_that_others_left_since(host):
    wanted = remedy("CVE-1", setting(not_in_groups=["docker"]))
    host.present(wanted)
    user_setting.must(["gpasswd", "-d", "amy", "docker"])
    host.absent(wanted)
    assert "docker:x:5:bob,eve\n" in Path(host.path("group")).read_text()


def test_user_setting_whose_two_files_differ_in_order_keeps_the_other_members(host):
    wanted = remedy("CVE-1", setting(not_in_groups=["mixed"]))
    host.present(wanted)
    host.absent(wanted)
    assert "mixed:x:7:amy,bob,eve\n" in Path(host.path("group")).read_text()
    assert "mixed:!::bob,amy,eve\n" in Path(host.path("gshadow")).read_text()


def test_user_setting_puts_the_rule_where_only_root_and_sudo_read_it(host):
    told = host.present(remedy("CVE-1", setting(sudoers="eve ALL=(root) !ALL")))[0]
    (name,) = os.listdir(host.path("sudoers.d"))
    info = os.stat(host.path(f"sudoers.d/{name}"))
    assert name.startswith("stopgap-eve-")
    assert "." not in name
    assert (info.st_mode & 0o7777, info.st_uid) == (0o440, 0)
    assert "!ALL" not in str(told)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_user_settings_of_two_remedies(host, order):
    before = contents(host)
    both = [
        remedy("CVE-1", setting(not_in_groups=["docker"], sudoers="eve ALL=(root) !ALL")),
        remedy("CVE-2", setting(not_in_groups=["docker", "other"], **{"shell": "/bin/true"})),
    ]

    host.present(*both)
    assert not any(told["changed"] for told in host.present(*both))
    assert host.absent(both[order[0]])[0]["state"] == "lifted"
    assert "docker:x:5:amy,bob\n" in Path(host.path("group")).read_text()
    assert host.absent(both[order[1]])[0]["state"] == "lifted"
    assert contents(host) == before


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"user": "none", "shell": "/bin/sh"}, "there is no user none on this host: make the user first"),
        ({"in_groups": ["none"]}, "there is no group none in"),
        ({"not_in_groups": ["none"]}, "there is no group none in"),
        ({"not_in_groups": ["eve"]}, "own group"),
        ({"shell": "/no/shell"}, "is no program on this host"),
        ({"sudoers": "nonsense"}, "syntax error"),
        ({"in_groups": ["docker"], "not_in_groups": ["docker"]}, "cannot be both in docker and not"),
        ({}, "give in_groups"),
    ],
    ids=str,
)
def test_user_setting_that_cannot_be(host, params, said):
    before = contents(host)
    told = host.present(remedy("CVE-1", setting(**params)))[0]
    assert told["state"] == "failed"
    assert said in told["reason"]
    assert contents(host) == before


def test_user_setting_that_sudo_would_not_read_is_put_back(host):
    before, host.included = contents(host), "none"
    told = host.present(remedy("CVE-1", setting(sudoers="eve ALL=(root) !ALL")))[0]
    assert told["state"] == "failed"
    assert "have /etc/sudoers include it" in told["reason"]
    assert contents(host) == before


def test_user_setting_that_somebody_changed_since(host):
    wanted = remedy("CVE-1", setting(not_in_groups=["docker"], **{"shell": "/bin/true"}))
    host.present(wanted)
    Path(host.path("shell")).write_text("/bin/zsh")
    told = host.absent(wanted)[0]
    assert told["state"] == "refused"
    assert "user:eve: shell is /bin/zsh, not /bin/true" in told["reason"]


def test_user_setting_whose_drop_in_somebody_changed_is_put_right_again_and_removed(host):
    before, wanted = contents(host), remedy("CVE-1", setting(sudoers="eve ALL=(root) !ALL"))
    host.present(wanted)
    (name,) = os.listdir(host.path("sudoers.d"))
    Path(host.path(f"sudoers.d/{name}")).write_text("theirs\n")
    assert host.absent(wanted)[0]["state"] == "refused"
    assert host.present(wanted)[0]["state"] == "applied"
    assert Path(host.path(f"sudoers.d/{name}")).read_text() == "eve ALL=(root) !ALL\n"
    host.absent(wanted)
    assert contents(host) == before


def test_user_setting_tells_nobody_the_rule_that_another_remedy_handed_up(host):
    rule = "eve ALL=(root) !ALL"
    host.present(remedy("CVE-1", setting(sudoers=rule)))
    host.present(remedy("CVE-2", setting(not_in_groups=["docker"])))
    host.absent(remedy("CVE-1"))
    (name,) = os.listdir(host.path("sudoers.d"))
    Path(host.path(f"sudoers.d/{name}")).write_text("theirs\n")
    told = host.absent(remedy("CVE-2"))[0]
    assert told["state"] == "refused"
    assert rule not in str(told)


def test_user_setting_of_a_user_who_is_gone_is_lifted_with_force(host):
    rule = "eve ALL=(root) NOPASSWD: /bin/true"
    host.present(remedy("CVE-1", setting(not_in_groups=["docker"], sudoers=rule, **{"shell": "/bin/true"})))
    Path(host.path("shell")).unlink()
    assert host.absent(remedy("CVE-1"))[0]["state"] == "refused"
    told = host.absent(remedy("CVE-1"), force=True)[0]
    assert told["state"] == "lifted", told["reason"]
    assert os.listdir(host.path("sudoers.d")) == []
