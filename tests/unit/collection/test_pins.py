"""What apt's preferences keep back, on what apt-cache of Debian 12 printed."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import pins

POLICY = """\
nginx:
  Installed: 1.22.1-9+deb12u9
  Candidate: (none)
  Version table:
     1.22.1-9+deb12u11 -1
        500 http://mirror/debian-security bookworm-security/main amd64 Packages
 *** 1.22.1-9+deb12u9 -1
        500 http://mirror/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
redis-server:
  Installed: 5:7.0.15-1~deb12u7
  Candidate: 5:7.0.15-1~deb12u7
  Version table:
     5:7.0.15-1~deb12u10 500
        500 http://mirror/debian-security bookworm-security/main amd64 Packages
 *** 5:7.0.15-1~deb12u7 1001
        100 /var/lib/dpkg/status
"""
RULES = """\
Explanation: the whole archive
Package: nginx* other
Pin: release *
Pin-Priority: -1

Package: /^redis-/
Pin: version 5:7.0.15-1~deb12u7
Pin-Priority: 1001
"""


def test_the_tables_say_what_repositories_have():
    assert pins.read_tables(POLICY) == {
        "nginx": (None, ["1.22.1-9+deb12u11", "1.22.1-9+deb12u9"]),
        "redis-server": ("5:7.0.15-1~deb12u7", ["5:7.0.15-1~deb12u10"]),
    }


def test_a_package_of_another_architecture_only_goes_by_its_name():
    assert list(pins.read_tables(POLICY.replace("nginx:", "nginx:i386:"))) == ["nginx", "redis-server"]


@pytest.fixture
def preferences(tmp_path, monkeypatch):
    (tmp_path / "preferences.d").mkdir()
    path = tmp_path / "preferences.d/keep"
    path.write_text(RULES)
    (tmp_path / "preferences.d/keep.bak").write_text(RULES)  # apt passes over it
    found = pins.preference_files(f"{tmp_path}/preferences")
    monkeypatch.setattr(pins, "preference_files", lambda: found)
    monkeypatch.setattr(pins, "read", lambda argv: POLICY)
    return path


def test_the_file_that_keeps_a_version_back_is_named(preferences):
    assert pins.pinned(["nginx", "redis-server"]) == {
        "nginx": "1.22.1-9+deb12u11 is in a repository, but apt's preferences keep it back: "
        f"{preferences}: Pin: release *, priority -1",
        "redis-server": "5:7.0.15-1~deb12u10 is in a repository, but apt's preferences keep it back: "
        f"{preferences}: Pin: version 5:7.0.15-1~deb12u7, priority 1001",
    }


def test_a_candidate_that_is_the_newest_is_kept_back_by_nobody(preferences, monkeypatch):
    monkeypatch.setattr(pins, "read", lambda argv: POLICY.replace("(none)", "1.22.1-9+deb12u11"))
    assert set(pins.pinned(["nginx"])) == {"redis-server"}
