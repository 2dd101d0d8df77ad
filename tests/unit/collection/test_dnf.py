"""What dnf says and what it means for us, on recorded answers; dnf itself answers in tests/e2e/test_rpm_lab.py."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import dnf
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import Result


@pytest.mark.parametrize(
    ("rc", "output", "code", "clean"),
    [
        (200, "Failed to obtain the transaction lock (logged in as: root).", "lock_timeout", True),
        (1, "RPM: error: can't create transaction lock on /var/lib/rpm/.rpm.lock", "lock_timeout", True),
        (1, "All matches were filtered out by exclude filtering for argument: nginx-1-2.x86_64", "held", True),
        (1, "No match for argument: nginx-1-2.x86_64\nError: Unable to find a match: nginx-1-2", "no_candidate", True),
        (1, "All matches were filtered out by modular filtering for argument: x", "no_candidate", True),
        (1, "Error: \n Problem: conflicting requests\n  - nothing provides libx needed by a", "dependencies", True),
        (1, "Error: Protected multilib versions: a-1-2.i686 != a-1-1.x86_64", "dependencies", True),
        (1, "Error: Transaction test error:\n  file /etc/x conflicts between attempted installs", "dependencies", True),
        (1, "Error: At least 12MB more space needed on the / filesystem.", "disk_full", True),
        (1, "[Errno 28] No space left on device", "disk_full", False),
        (1, "Package a-1-2.x86_64.rpm is not signed\nError: GPG check FAILED", "unauthenticated", True),
        (
            1,
            "[MIRROR] a.rpm: 404\nError: Error downloading packages:\n  Cannot download a",
            "download_failed",
            True,
        ),
        (
            1,
            "error: %prein(a-1-2.x86_64) scriptlet failed\nError: Transaction failed",
            "rpm_failed",
            False,
        ),
        (1, "Error: the moon is full", "dnf_failed", False),
    ],
)
def test_what_dnf_complains_of(rc, output, code, clean):
    error = dnf.complaint(Result(rc, output))
    assert (error.code, error.clean) == (code, clean)
    assert error.reason.startswith("dnf: ")


def test_its_words_begin_where_it_complains_and_end_before_its_advice():
    output = (
        "Last metadata expiration check: 0:00:01 ago.\nDependencies resolved.\n"
        "Error: \n Problem: conflicting requests\n  - nothing provides libx needed by a-1-2.x86_64\n"
        "(try to add '--skip-broken' to skip uninstallable packages)\n"
    )
    assert dnf.words(output) == ("dnf: Problem: conflicting requests; - nothing provides libx needed by a-1-2.x86_64")


UPDATE = """down                                            0.0  B/s |   0  B     00:00
Errors during downloading metadata for repository 'down':
  - Curl error (7): Couldn't connect to server for http://192.0.2.1/repodata/repomd.xml
Error: Failed to download metadata for repo 'down': Cannot download repomd.xml: All mirrors were tried
Ignoring repositories: down
Metadata cache created.
"""


def test_an_update_that_says_0_is_read_all_the_same():
    told = dnf.not_fetched(Result(0, UPDATE))
    assert "Failed to download metadata for repo 'down'" in told
    assert "Curl error (7)" in told
    assert dnf.not_fetched(Result(0, "appstream  5.0 MB/s | 8.0 MB  00:01\nMetadata cache created.\n")) == ""
    assert dnf.not_fetched(Result(1, "Error: no such option")) == "dnf: Error: no such option"


PLAN = """Dependencies resolved.
================================================================================
 Package           Architecture      Version            Repository         Size
================================================================================
Installing:
 greedy-libs       x86_64            1-2                greedy            5.5 k
     replacing  bystander.x86_64 1-1
Upgrading:
 greedy            x86_64            1-2                greedy            5.5 k
Removing dependent packages:
 leaf              x86_64            1-1                @System           5.5 k
 twig              noarch            1-1                @System           5.5 k

Transaction Summary
================================================================================
Operation aborted.
"""


PLAN_5 = """Package           Arch   Version  Repository      Size
Upgrading:
 greedy           x86_64 0:1-2    greedy       5.5 KiB
   replacing greedy
                  x86_64 0:1-1    greedy       5.5 KiB
 greedy-libs      x86_64 0:1-2    greedy       5.5 KiB
   replacing greedy-libs x86_64 0:1-1 greedy   5.5 KiB
   replacing bystander   x86_64 0:1-1 greedy   5.5 KiB

Transaction Summary:
Operation aborted by the user.
"""


def test_what_a_plan_takes_away():
    assert dnf.erased(PLAN) == ["bystander", "leaf", "twig"]
    assert dnf.erased(PLAN.replace("bystander", "greedy").partition("Removing")[0]) == []
    assert dnf.erased(PLAN_5) == ["bystander"]


def test_a_repository_that_is_left_out_keeps_back_nothing_else_and_kernels_stay():
    assert "--setopt=*.skip_if_unavailable=1" in dnf.SETTINGS
    assert "--setopt=installonly_limit=0" in dnf.SETTINGS


@pytest.mark.parametrize(
    ("version", "said"),
    [("1:1.20.1-14.el9", "nginx-1:1.20.1-14.el9.x86_64"), ("1.20.1-14.el9", "nginx-1.20.1-14.el9.x86_64")],
)
def test_a_package_is_asked_for_by_its_whole_name(version, said):
    assert dnf.spec({"name": "nginx", "arch": "x86_64"}, version) == said


PLAN_MOVES = """Dependencies resolved.
================================================================================
 Package                Arch      Version                     Repository   Size
================================================================================
Installing:
 kernel-core            x86_64    5.14.0-503.11.1.el9_5       baseos       18 M
Upgrading:
 nginx                  x86_64    2:1.20.1-28.el9_8.2         appstream    36 k
 a-name-that-is-long-enough-for-a-line-of-its-own
                        noarch    0:1-2                       appstream   5.5 k
Installing dependencies:
 nginx-core             x86_64    2:1.20.1-28.el9_8.2         appstream   574 k
Enabling module streams:
 nginx                            1.20

Transaction Summary
================================================================================
Install  2 Packages
Upgrade  2 Packages

Total download size: 19 M
Operation aborted.
"""


def test_what_a_plan_moves(monkeypatch):
    there = {
        "nginx": "1:1.20.1-16.el9",
        "a-name-that-is-long-enough-for-a-line-of-its-own": "1-1",
        "kernel-core": "5.14.0-427",
    }
    monkeypatch.setattr(dnf, "preview", lambda *_: PLAN_MOVES)
    facts = {
        name: [{"arch": "noarch" if name[1] == "-" else "x86_64", "version": told}] for name, told in there.items()
    }
    monkeypatch.setattr(dnf.rpm, "installed", lambda names: {name: facts.get(name, []) for name in names})
    assert [(move["name"], move["arch"], move["before"], move["after"]) for move in dnf.moves([])] == [
        ("kernel-core", "x86_64", None, "5.14.0-503.11.1.el9_5"),  # beside the old one
        ("nginx", "x86_64", "1:1.20.1-16.el9", "2:1.20.1-28.el9_8.2"),
        ("a-name-that-is-long-enough-for-a-line-of-its-own", "noarch", "1-1", "1-2"),
        ("nginx-core", "x86_64", None, "2:1.20.1-28.el9_8.2"),
    ]
