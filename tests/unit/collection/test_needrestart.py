"""Our word on old code against needrestart's, on what needrestart 3.6 of Debian 12 printed."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import needrestart

VERBOSE = """\
[main] needrestart v3.6
[main] #1 uses deleted /usr/lib/x86_64-linux-gnu/liblzma.so.5.4.1
[main] #1 is not a child
[main] #62 uses obsolete binary /usr/bin/redis-check-rdb
[main] #62 is a child of #50
[main] #80 uses obsolete binary /usr/bin/redis-check-rdb
[Python] #70 uses obsolete script file
[main] #70 part of user session: uid=0 sess=/dev/pts/1
[main] #62 exe => /usr/bin/redis-check-rdb
"""
OWNERS = {"/usr/bin/redis-check-rdb": "redis-tools"}


def seen(pid, sure=True):
    return {"pid": pid, "name": f"p{pid}", "sure": sure}


@pytest.fixture
def tool(tmp_path):
    def make(stderr=VERBOSE, stdout="NEEDRESTART-VER: 3.6", rc=0):
        path = tmp_path / "needrestart"
        path.write_text(f"#!/bin/sh\ncat >&2 <<END\n{stderr}END\necho '{stdout}'\nexit {rc}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_it_is_read_process_by_process_without_what_its_blacklist_drops(tool):
    told = needrestart.ask(tool())
    assert told == {1: "/usr/lib/x86_64-linux-gnu/liblzma.so.5.4.1", 62: "/usr/bin/redis-check-rdb", 70: ""}


@pytest.mark.parametrize("trouble", [{"rc": 1}, {"stdout": "usage"}])
def test_an_answer_that_is_none_is_no_opinion(tool, trouble):
    assert needrestart.ask(tool(**trouble)) is None


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        ([seen(62)], ""),
        ([seen(62), seen(1)], ""),  # it names the first old file only: that is seen, whatever the package
        ([seen(62), seen(99, sure=False)], ""),  # what we are not sure of is no claim
        ([], "we see old code in no process, needrestart in /usr/bin/redis-check-rdb (62)"),
        ([seen(62), seen(99)], "we see old code in p99 (99), p62 (62), needrestart in p62 (62)"),
    ],
)
def test_the_two_are_compared_for_the_packages_concerned(tool, found, difference):
    assert needrestart.difference(needrestart.ask(tool()), found, OWNERS) == difference


def test_without_the_tool_there_is_no_opinion(tmp_path, monkeypatch):
    monkeypatch.setattr(needrestart, "environment", lambda: {"PATH": str(tmp_path)})
    assert needrestart.second_opinion(["x"], [seen(1)]) == ""
