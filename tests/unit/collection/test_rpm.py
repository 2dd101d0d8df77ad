"""rpm's facts and its order of versions, on recorded answers; rpm itself is asked in tests/e2e/test_rpm_lab.py."""

from types import SimpleNamespace

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import nevra, rpm, rpmholds

ASCENDING = """
8.7p1-34.el9_3.3 8.7p1-34.el9_3.10
1.0~rc1-1 1.0-1
1.0-1 1.0^git1-1
1.0^git1-1 1.0.1-1
1.0~rc1-1 1.0~rc1^git1-1
1.0a-1 1.0.1-1
9.9-9 1:0-1
1.0 1.0-1
5.14.0-427.9.1.el9_4 5.14.0-427.13.1.el9_4
5.6.1-1.1 5.6.1.revertto5.4-3.2
2:1.20.1-28.el9_8.2 2:1.26.3-9.module_el9.8.0+247+aa936373
1.0~~-1 1.0~-1
"""
PAIRS = [line.split() for line in ASCENDING.strip().splitlines()]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_known_order(left, right):
    assert (rpm.compare(left, right), rpm.compare(right, left), rpm.compare(left, left)) == (-1, 1, 0)


@pytest.mark.parametrize(
    ("left", "right"), [("1.0-1", "0:1.0-1"), ("1.0-1", "1_0-1"), ("1.007-1", "1.7-1"), ("1.-1", "1-1")]
)
def test_equal(left, right):
    assert rpm.compare(left, right) == 0


def line(name="nginx", arch="x86_64", epoch="1", version="1.20.1", release="14.el9", source=None, provides=""):
    source = source or f"{name}-{version}-{release}.src.rpm"
    return "\t".join([name, arch, epoch, version, release, source, provides])


@pytest.fixture
def answers(monkeypatch):
    """What rpm says next; no lock on the host."""
    monkeypatch.setattr(rpmholds, "locks", lambda: [])

    def put(*lines, rc=0, stderr=""):
        calls = []
        output = SimpleNamespace(rc=rc, stdout="\n".join(lines) + "\n", stderr=stderr)
        monkeypatch.setattr(rpm.command, "execute", lambda argv, timeout: calls.append(argv) or output)
        return calls

    return put


def test_one_call_for_all_names_and_an_absent_one_is_empty(answers):
    calls = answers(line(), "package absent is not installed", rc=1)
    found = rpm.installed(["nginx", "absent"])
    assert len(calls) == 1
    assert found["absent"] == []
    assert found["nginx"] == [
        {
            "name": "nginx",
            "arch": "x86_64",
            "version": "1:1.20.1-14.el9",
            "source": "nginx",
            "source_version": "1:1.20.1-14.el9",
            "broken": None,
            "held": False,
            "superseded": False,
        }
    ]
    assert rpm.installed([]) == {}


def test_a_binary_goes_by_its_own_version_as_advisories_do(answers):
    answers(
        line(
            "pam_ssh_agent_auth",
            epoch="(none)",
            version="0.10.4",
            release="5.34.el9",
            source="openssh-8.7p1-34.el9.src.rpm",
        )
    )
    fact = rpm.installed(["pam_ssh_agent_auth"])["pam_ssh_agent_auth"][0]
    assert (fact["source"], fact["source_version"]) == ("openssh", "0.10.4-5.34.el9")


def test_a_database_that_cannot_be_read_is_no_answer(answers):
    answers("package nginx is not installed", rc=1, stderr="error: cannot open Packages database in /var/lib/rpm")
    with pytest.raises(Surprise, match="cannot open Packages"):
        rpm.installed(["nginx"])


@pytest.mark.parametrize(
    ("provides", "superseded", "broken"),
    [
        ("kernel-core installonlypkg(kernel) x", True, None),
        ("kernel-default multiversion(kernel)", True, None),
        ("kernel kernel-x86_64", True, None),  # RHEL 7
        ("kernel-headers", False, "installed beside a newer version of itself"),
        ("", False, "installed beside a newer version of itself"),
    ],
)
def test_several_versions_are_kept_side_by_side_or_left_by_a_cut_transaction(answers, provides, superseded, broken):
    answers(line(version="1.9", provides=provides), line(version="1.10", provides=provides))
    newest, older = rpm.installed(["nginx"])["nginx"]
    assert (newest["version"], newest["superseded"], newest["broken"]) == ("1:1.10-14.el9", False, None)
    assert (older["superseded"], older["broken"]) == (superseded, broken)


def test_two_architectures_are_two_and_neither_is_old(answers):
    answers(line(arch="i686"), line(arch="x86_64"))
    assert [(fact["arch"], fact["broken"], fact["superseded"]) for fact in rpm.installed(["nginx"])["nginx"]] == [
        ("i686", None, False),
        ("x86_64", None, False),
    ]


def test_the_best_candidate_is_there_for_every_architecture(answers):
    answers(line(arch="i686"), line(arch="x86_64"))
    offered = {"nginx": {"1:1.20-2": {"x86_64", "i686"}, "1:1.20-10": {"x86_64"}}}
    assert rpm.best_of(offered)["nginx"]["version"] == "1:1.20-2"
    answers(line(arch="x86_64"))
    assert rpm.best_of(offered)["nginx"]["version"] == "1:1.20-10"


def test_an_epoch_of_zero_is_none():
    assert [nevra.join(epoch, "1", "2") for epoch in ("0", "(none)", "", "3")] == ["1-2", "1-2", "1-2", "3:1-2"]


# --- what holds a package

FACT = nevra.read_fact(line())[0]


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("nginx", True),
        ("ngin?", True),
        ("nginx.x86_64", True),
        ("nginx-1:1.20.1-14.el9.*", True),  # dnf versionlock
        ("1:nginx-1.20.1-14.el9.x86_64", True),  # yum versionlock
        ("nginx-1.20.1*", True),
        ("nginx-1:1.20.1-16.el9.*", False),  # locked at what is to come
        ("nginx-core", False),
        ("ngin", False),
    ],
)
def test_what_a_lock_holds(pattern, holds):
    assert rpmholds.Lock(pattern, "/etc/x").holds(FACT) is holds


def test_locks_are_read_as_their_tools_write_them():
    versionlock = "# Added lock on Sat Nov 21\nnginx-1:1.20.1-14.el9.*\n\n!redis-0:6.2.7-1.el9.*\n"
    assert rpmholds.versionlocked(versionlock) == ["nginx-1:1.20.1-14.el9.*"]
    conf = "[main]\nexclude=kernel*, php\n  nginx\nexcludepkgs = a b\nincludepkgs=c\n"
    assert rpmholds.excluded(conf) == ["kernel*", "php", "nginx", "a", "b"]
    zypp = (
        "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nginx\n\n"
        "type: patch\nmatch_type: glob\nsolvable_name: SUSE-1\n\ntype: package\nsolvable_name: x\nrepo: other\n\n"
        "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: php\nversion: >= 8.3\n"
    )
    assert rpmholds.zypper_locked(zypp) == ["nginx"]
