"""dpkg's facts and its order of versions, against dpkg itself."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.collection.version_pairs import generated

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import apt, conffiles, dpkg

# Pairs with a known order: the shapes seen in the Debian archive that catch naive comparisons.
ASCENDING = """
1.22.1-9+deb12u9 1.22.1-9+deb12u11
3.0.20-1~deb12u2 3.0.22-1~deb12u2
5:7.0.15-1~deb12u7 5:7.0.15-1~deb12u10
2.0-1 1:1.0-1
1.0~rc1 1.0
1.0~~ 1.0~
1.0 1.0+b1
1.6.18-1 1.6.18-1+deb12u1
3.2.7-1+deb12u6 3.5.0+ds1-0+deb12u1
5.6.1-1 5.6.1+really5.4.5-1
1:1.3.dfsg+really1.3.1-1+b1 1:1.3.dfsg+really1.3.1-1+deb13u1
2.1.12-stable-8 2.1.12-stable-8+deb12u1
1.9.13p3-1+deb12u1 1.9.13p3-1+deb12u3
1:8.9p1-3ubuntu0.9 1:8.9p1-3ubuntu0.10
0.105-26ubuntu1.1 0.105-31+deb11u1
1.0-1~bpo12+1 1.0-1
"""
PAIRS = [line.split() for line in ASCENDING.strip().splitlines()]
OUR_WORD = {-1: "lt", 0: "eq", 1: "gt"}
# Of each line, whether dpkg says so too; one question a pair, for each is a process.
ASK_DPKG = 'while read -r left word right; do dpkg --compare-versions "$left" "$word" "$right"; echo $?; done'


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_known_order(left, right):
    assert dpkg.compare(left, right) == -1
    assert dpkg.compare(right, left) == 1
    assert dpkg.compare(left, left) == 0


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg itself is asked, and is not here")
@pytest.mark.parametrize("seed", [20241, 20242])  # halves of ten thousand, so that two workers share them
def test_order_is_dpkgs_own_on_thousands_of_versions(seed):
    pairs = [*PAIRS, *generated(5000, seed)]
    ours = [dpkg.compare(*pair) for pair in pairs]
    assert {-1, 0, 1} == set(ours)
    lines = "".join(f"{left} {OUR_WORD[word]} {right}\n" for (left, right), word in zip(pairs, ours, strict=True))
    told = subprocess.run(["sh", "-c", ASK_DPKG], input=lines, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    assert [pair for pair, agreed in zip(pairs, told.stdout.split(), strict=True) if agreed != "0"] == []


def test_every_known_security_update_is_newer():
    """Read from the Debian archive in November 2026."""
    table = Path(__file__).parents[2] / "cases/dpkg/security_updates.tsv"
    rows = list(csv.DictReader(table.read_text().splitlines(), delimiter="\t"))
    assert rows
    assert [row for row in rows if dpkg.compare(row["old"], row["new"]) != -1] == []


@pytest.mark.parametrize(("left", "right"), [("1.0", "1.0-0"), ("0:1.0", "1.0"), ("1.0a", "1.0a0"), ("1.00", "1.0")])
def test_equal(left, right):
    assert dpkg.compare(left, right) == 0


def line(
    name="nginx",
    arch="amd64",
    want="install",
    flag="ok",
    status="installed",
    version="1.22.1-9+deb12u9",
    source="nginx",
    sourced="1.22.1-9+deb12u9",
):
    return "\t".join((name, arch, want, flag, status, version, source, sourced))


def test_a_binary_rebuild_goes_by_its_source_version():
    fact = dpkg.read_fact(line("zlib1g", version="1:1.3.1-1+b1", source="zlib", sourced="1:1.3.1-1"))
    assert (fact["version"], fact["source_version"]) == ("1:1.3.1-1+b1", "1:1.3.1-1")


def test_a_signed_kernel_goes_by_its_own_version():
    told = line("linux-image-amd64", version="6.1.176-1", source="linux-signed-amd64", sourced="6.1.176+1")
    assert dpkg.read_fact(told)["source_version"] == "6.1.176-1"


@pytest.mark.parametrize("status", ["config-files", "not-installed"])
def test_what_was_removed_is_not_there(status):
    assert dpkg.read_fact(line(status=status)) is None


@pytest.mark.parametrize(
    ("change", "broken", "held"),
    [
        ({}, None, False),
        ({"want": "hold"}, None, True),
        ({"status": "half-configured"}, "half-configured", False),
        ({"status": "unpacked"}, "unpacked", False),
        ({"status": "triggers-pending"}, None, False),
        ({"flag": "reinstreq"}, "reinstreq", False),
    ],
)
def test_states(change, broken, held):
    fact = dpkg.read_fact(line(**change))
    assert (fact["broken"], fact["held"]) == (broken, held)


def test_this_machine_answers_in_one_call(monkeypatch):
    calls = []
    real = dpkg.read
    monkeypatch.setattr(dpkg, "read", lambda argv, **options: calls.append(argv) or real(argv, **options))
    facts = dpkg.installed(["dpkg", "no-such-package-here", "libc6"])
    assert len(calls) == 1
    assert facts["no-such-package-here"] == []
    assert facts["dpkg"][0]["source"] == "dpkg"
    assert dpkg.installed([]) == {}


# --- apt

POLICY = """nginx:
  Installed: 1.22.1-9+deb12u9
  Candidate: 1.22.1-9+deb12u11
  Version table:
     1.22.1-9+deb12u11 500
        500 http://deb.example/debian-security bookworm-security/main amd64 Packages
wine32:i386:
  Installed: 8.0-1
  Candidate: 8.0-2
  Version table:
     8.0-2 500
gone:
  Installed: (none)
  Candidate: (none)
  Version table:
"""
RECORDS = """Package: zlib1g
Source: zlib (1:1.3.1-1)
Version: 1:1.3.1-1+b1

Package: zlib1g
Source: zlib
Version: 1:1.2.13-1

Package: libssl3
Source: openssl
Version: 3.0.22-1~deb12u2

Package: linux-image-amd64
Source: linux-signed-amd64 (6.1.176+1)
Version: 6.1.176-1
"""


def test_candidates_and_what_has_none():
    assert apt.read_policy(POLICY) == {"nginx": "1.22.1-9+deb12u11", "wine32": "8.0-2"}


def test_a_candidate_is_known_by_its_source_version():
    wanted = {"zlib1g": "1:1.3.1-1+b1", "libssl3": "3.0.22-1~deb12u2", "linux-image-amd64": "6.1.176-1"}
    found = apt.read_records(RECORDS, wanted)
    assert {name: fact["source_version"] for name, fact in found.items()} == {
        "zlib1g": "1:1.3.1-1",
        "libssl3": "3.0.22-1~deb12u2",
        "linux-image-amd64": "6.1.176-1",
    }


UPDATE_TROUBLE = """Hit:1 http://deb.example/debian bookworm InRelease
Err:2 http://security.example/debian-security bookworm-security InRelease
  Could not connect to security.example:80 (192.0.2.1). - connect (111: Connection refused)
Reading package lists...
W: Failed to fetch http://security.example/dists/bookworm-security/InRelease  Could not connect to security.example:80
W: Some index files failed to download. They have been ignored, or old ones used instead.
"""


def test_an_update_that_says_0_is_read_all_the_same():
    assert apt.not_fetched(UPDATE_TROUBLE).startswith("Failed to fetch http://security.example/")
    assert apt.not_fetched("Hit:1 http://deb.example bookworm InRelease\nReading package lists...\n") == ""


@pytest.mark.parametrize(
    ("output", "code", "clean"),
    [
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)", "lock_timeout", True),
        ("E: Packages need to be removed but remove is disabled.", "removal_needed", True),
        ("E: Held packages were changed and -y was used without --allow-change-held-packages.", "held", True),
        (
            "The following packages have unmet dependencies:\n a : Depends: b\n"
            "E: Unable to correct problems, you have held broken packages.",
            "dependencies",
            True,
        ),
        (
            "E: There were unauthenticated packages and -y was used without --allow-unauthenticated",
            "unauthenticated",
            True,
        ),
        (
            "E: Failed to fetch http://deb.example/a.deb  404  Not Found\nE: Unable to fetch some archives",
            "download_failed",
            True,
        ),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk_full", False),
        (
            "dpkg: error processing package x (--configure):\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
            "dpkg_failed",
            False,
        ),
        ("E: The moon is full", "apt_failed", False),
    ],
)
def test_what_apt_complains_of(output, code, clean):
    error = apt.complaint(output)
    assert (error.code, error.clean) == (code, clean)
    assert "E: " not in error.reason


def test_apt_is_asked_for_no_more_than_the_packages():
    argv = apt.install_argv(["nginx:amd64=1.2"], ["--force-confdef", "--force-confold"])
    assert argv[-1] == "nginx:amd64=1.2"
    assert {"--no-remove", "--no-install-recommends", "-y"} <= set(argv)
    assert "Dpkg::Options::=--force-confold" in argv


# --- conffiles


@pytest.fixture
def conffile(tmp_path):
    path = tmp_path / "cups-browsed.conf"
    path.write_text("package's\n")
    return conffiles.Conffile("cups-browsed", str(path), conffiles.md5_of(b"package's\n"))


def test_an_unedited_conffile_is_not_reported(conffile):
    assert conffiles.report([conffile]) == []
    assert conffiles.still_edited([conffile], ["cups-browsed"]) == []


def test_the_local_side_kept_is_reported_with_the_packages_beside_it(conffile):
    Path(conffile.path).write_text("edited here\n")
    Path(conffile.path + ".dpkg-dist").write_text("package's\n")
    assert conffiles.report([conffile]) == [
        {"path": conffile.path, "kept": "local", "other": conffile.path + ".dpkg-dist"}
    ]


def test_the_packages_side_kept_is_reported_with_the_old_one_beside_it(conffile):
    Path(conffile.path + ".dpkg-old").write_text("edited here\n")
    assert conffiles.report([conffile]) == [
        {"path": conffile.path, "kept": "package", "other": conffile.path + ".dpkg-old"}
    ]


def test_a_siblings_edited_file_is_taken_back_only_where_the_packages_lies_beside_it(conffile):
    Path(conffile.path).write_text("edited here\n")
    assert conffiles.still_edited([conffile], ["cups-browsed"]) == [conffile]
    assert conffiles.still_edited([conffile], ["cups"]) == []
    Path(conffile.path + ".dpkg-dist").write_text("package's\n")
    assert conffiles.still_edited([conffile], ["cups"]) == [conffile]


def test_obsolete_conffiles_are_nobodys():
    text = "openssh-server\n /etc/default/ssh aaa\n /etc/init.d/ssh bbb obsolete\n\nno-conffiles\n\n"
    assert conffiles.read_conffiles(text) == [conffiles.Conffile("openssh-server", "/etc/default/ssh", "aaa")]


def test_ucfs_files_count(tmp_path):
    (tmp_path / "registry").write_text("openssh-server \t /etc/ssh/sshd_config\nother \t /etc/other\n")
    (tmp_path / "hashfile").write_text("abc  /etc/ssh/sshd_config\n")
    assert conffiles.ucf_files(["openssh-server"], str(tmp_path)) == [
        conffiles.Conffile("openssh-server", "/etc/ssh/sshd_config", "abc")
    ]
