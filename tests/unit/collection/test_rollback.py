"""Whether a fix could be taken back, and how it is: on a made-up host."""

import errno
import json
import os
import time
from types import SimpleNamespace

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import durable, patches, rollback
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import past
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError

REMEDY = {"id": "CVE-1", "revision": 1, "fix": {"then": []}}
MOVE = {"name": "a", "arch": "amd64", "before": "1-1", "after": "2-1"}
NEW = {"name": "b", "arch": "amd64", "before": None, "after": "2-1"}
PLAN = """\
Reading package lists...
Inst redis-server [5:7.0.15-1~deb12u7] (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64]) []
Inst libnew (2.0 localhost [all])
Inst libc6:i386 [2.36-9] (2.36-10 [i386])
Conf redis-server (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(patches, "BASE", str(tmp_path))
    return tmp_path / "patches"


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Host:
    def __init__(self, version="2-1", where="repository", error=None):
        self.unreadable, self.version, self.error, self.calls = None, version, error, []
        self.family = SimpleNamespace(
            facts=SimpleNamespace(installed=self.installed),
            past=SimpleNamespace(where=lambda move: where, put_back=self.put_back),
        )

    def installed(self, names):
        fact = {"arch": "amd64", "version": self.version, "broken": None}
        return {name: [fact] if self.version else [] for name in names}

    def put_back(self, moves, limit):
        self.calls.append([(move["name"], move["before"]) for move in moves])
        if self.error:
            raise self.error
        self.version = moves[0]["before"]


def test_apts_plan_says_what_it_would_change():
    assert past.read_moves(PLAN) == [
        {"name": "redis-server", "arch": "amd64", "before": "5:7.0.15-1~deb12u7", "after": "5:7.0.15-1~deb12u10"},
        {"name": "libnew", "arch": "all", "before": None, "after": "2.0"},
        {"name": "libc6", "arch": "i386", "before": "2.36-9", "after": "2.36-10"},
    ]


def test_a_version_of_the_cache_is_found_by_its_file_name(tmp_path, monkeypatch):
    monkeypatch.setattr(past, "CACHE", str(tmp_path))
    move = {"name": "a", "arch": "amd64", "before": "5:1-1"}
    assert past.archive(move) == f"{tmp_path}/a_5%3a1-1_amd64.deb"
    (tmp_path / "a_5%3a1-1_amd64.deb").touch()
    assert past.apt_where(move) == "cache"


def test_the_way_back_says_where_each_version_comes_from():
    back = rollback.way_back(Host(where="cache").family, [MOVE, NEW])
    assert (back["possible"], back["from"]) == (True, "cache")
    assert back["packages"] == [{"name": "a", "arch": "amd64", "version": "1-1", "from": "cache"}]
    gone = rollback.way_back(Host(where=None).family, [MOVE])
    assert (gone["possible"], gone["reason"]) == (False, "neither a repository nor the cache has a 1-1")


def test_exactly_the_versions_from_before_are_put_back_and_the_record_is_closed(folder):
    host = Host()
    patches.begin(REMEDY, [MOVE, NEW])
    result = rollback.roll_back(REMEDY, host, 300)
    assert (result["state"], result["changed"], host.calls) == ("rolled_back", True, [[("a", "1-1")]])
    assert result["packages"] == [{"name": "a", "arch": "amd64", "before": "2-1", "after": "1-1"}]
    assert [json.loads(path.read_text())["state"] for path in folder.iterdir()] == ["rolled_back"]
    again = rollback.roll_back(REMEDY, host, 300)
    assert (again["state"], again["code"], again["changed"]) == ("none", "no_record", False)


def test_check_mode_puts_nothing_back(folder):
    host = Host()
    patches.begin(REMEDY, [MOVE])
    result = rollback.roll_back(REMEDY, host, 300, check=True)
    assert (result["state"], result["changed"], host.calls) == ("would_roll_back", True, [])
    assert json.loads(next(folder.iterdir()).read_text())["state"] == "intended"


@pytest.mark.parametrize(
    ("host", "state", "code"),
    [
        (Host(version="3-1"), "refused", "changed_since"),
        (Host(version=None), "refused", "changed_since"),
        (Host(where=None), "refused", "no_old_version"),
        (Host(error=InstallError("lock_timeout", "held by 7", clean=True)), "refused", "lock_timeout"),
        (Host(error=InstallError("dpkg_failed", "it broke", clean=False)), "failed", "dpkg_failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_stands_in_the_way_is_told(host, state, code):
    patches.begin(REMEDY, [MOVE])
    result = rollback.roll_back(REMEDY, host, 300)
    assert (result["state"], result["code"], result["changed"]) == (state, code, False)


def test_a_roll_back_that_was_cut_short_is_finished(folder):
    host = Host(version="1-1")
    patches.write(patches.begin(REMEDY, [MOVE]), state="rolling_back")
    result = rollback.roll_back(REMEDY, host, 300)
    assert (result["state"], result["changed"], host.calls) == ("rolled_back", False, [])


def test_a_disk_that_fills_up_meanwhile_does_not_hide_what_was_put_back(monkeypatch):
    host = Host()
    patches.begin(REMEDY, [MOVE])

    def fill(moves, limit):
        host.put_back(moves, limit)
        monkeypatch.setattr(durable, "write", full_disk)

    host.family.past.put_back = fill
    result = rollback.roll_back(REMEDY, host, 300)
    assert (result["state"], result["changed"], host.version) == ("rolled_back", True, "1-1")
    assert "No space left on device" in result["reason"]


def test_on_a_full_disk_nothing_is_put_back(monkeypatch):
    host = Host()
    patches.begin(REMEDY, [MOVE])
    monkeypatch.setattr(durable, "write", full_disk)
    result = rollback.roll_back(REMEDY, host, 300)
    assert (result["state"], host.calls) == ("failed", [])
    assert "nothing was changed" in result["reason"]


def test_a_fix_of_last_week_is_not_taken_back(folder):
    record = patches.begin(REMEDY, [MOVE])
    patches.write(record, at=time.strftime(patches.FORMAT, time.gmtime(time.time() - 25 * 3600)))
    assert rollback.roll_back(REMEDY, Host(), 300)["code"] == "no_record"


def test_the_record_is_roots_own(folder):
    patches.begin(REMEDY, [MOVE])
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, next(folder.iterdir()))] == ["0o700", "0o600"]


@pytest.mark.parametrize("content", ["{", "null", "[]", "{}", '{"remedy": "CVE-1"}'])
def test_a_record_that_cannot_be_read_is_told(folder, content):
    folder.mkdir()
    (folder / "x.json").write_text(content)
    with pytest.raises(JournalError, match=r"cannot read .*x\.json"):
        patches.latest("CVE-1")
    assert rollback.roll_back(REMEDY, Host(), 300)["state"] == "failed"


def test_a_fix_waits_for_the_next_boot_and_no_longer(monkeypatch):
    monkeypatch.setattr(patches, "this_boot", lambda: "one")
    patches.begin(REMEDY, [MOVE])
    assert patches.waits_for_boot("CVE-1")
    assert not patches.waits_for_boot("CVE-2")
    monkeypatch.setattr(patches, "this_boot", lambda: "two")
    assert not patches.waits_for_boot("CVE-1")


def test_what_was_rolled_back_waits_for_no_boot():
    patches.write(patches.begin(REMEDY, [MOVE]), state="rolled_back")
    assert not patches.waits_for_boot("CVE-1")


def test_a_boot_is_known_by_its_id_and_by_its_first_process(tmp_path):
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("an-id\n")
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text(f"1 (a name) S {' '.join(['0'] * 18)} 77 0\n")
    assert patches.this_boot(str(tmp_path)) == "an-id 77"
    (tmp_path / "1/stat").unlink()
    with pytest.raises(JournalError, match="cannot tell one boot from another"):
        patches.this_boot(str(tmp_path))
