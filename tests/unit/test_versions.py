"""Versions compared offline: the order of the distribution, and which of several fixes counts."""

import shutil
import subprocess

import pytest
from tests.unit.collection.version_pairs import generated

from stopgap.versions import is_below, meets, newest, order_of


@pytest.mark.parametrize(
    ("distro", "version", "fixes", "answer"),
    [
        ("debian-12", "1.22.1-9+deb12u9", ("1.22.1-9+deb12u11",), (False, "1.22.1-9+deb12u11")),
        ("debian-12", "1.22.1-9+deb12u11+b1", ("1.22.1-9+deb12u11",), (True, "1.22.1-9+deb12u11")),
        ("ubuntu-22.04", "1:8.9p1-3ubuntu0.10", ("1:8.9p1-3ubuntu0.9",), (True, "1:8.9p1-3ubuntu0.9")),
        (
            "el-9",
            "5.14.0-427.9.1.el9_4",
            ("5.14.0-427.13.1.el9_4", "5.14.0-503.11.1.el9_5"),
            (False, "5.14.0-427.13.1.el9_4"),
        ),
        ("el-9", "1.0~rc1-1", ("1.0-1",), (False, "1.0-1")),
        ("opensuse-leap-15", "5.6.1.revertto5.4-3.2", ("5.6.1-1.1",), (True, "5.6.1-1.1")),
        ("plan9-4", "1", ("2",), None),
        ("", "1", ("2",), None),
        ("debian-12", "²:1", ("2",), None),
        ("debian-12", "1", (), None),
    ],
)
def test_which_fix_counts(distro, version, fixes, answer):
    assert meets(distro, version, fixes) == answer


@pytest.mark.parametrize("distro", ["debian-12", "el-9"])
def test_the_order_is_the_one_hosts_assess_by(distro):
    from ansible_collections.stopgap.remediation.plugins.module_utils.packages import dpkg, rpm

    theirs, rpms = (rpm.compare, True) if distro == "el-9" else (dpkg.compare, False)
    pairs = generated(500, 7, rpm=rpms)
    assert [pair for pair in pairs if order_of(distro)(*pair) != theirs(*pair)] == []


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg itself is asked, and is not here")
def test_below_is_what_dpkg_says():
    for left, right in generated(40, 11):
        done = subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False)
        assert is_below("debian-12", left, right) is (done.returncode == 0), (left, right)


def test_of_what_lies_side_by_side_the_newest_counts():
    assert newest("el-9", ["5.14.0-427.9.1.el9_4", "5.14.0-503.11.1.el9_5", "5.14.0-70.el9"]) == "5.14.0-503.11.1.el9_5"
    assert newest("plan9-4", ["1", "2"]) is None
    assert newest("plan9-4", ["1"]) == "1"
