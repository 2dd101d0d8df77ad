import time

import pytest
from tests.unit.collection.own_mounts import only_root, played

from ansible_collections.stopgap.remediation.plugins.module_utils.command import ask, execute, must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, Surprise


@pytest.mark.parametrize(
    ("cmd", "matched"),
    [
        ({"run": ["echo", "max 100"]}, True),
        ({"run": ["echo", "max 100"], "stdout_has": "max"}, True),
        ({"run": ["echo", "max 100"], "stdout_has": "min"}, False),
        ({"run": ["echo", "max 100"], "stdout_lacks": "max"}, False),
        ({"run": ["printf", "a\nmax 100\n"], "stdout_matches": "^max [0-9]+$"}, True),
        ({"run": ["printf", "a\n#max 100\n"], "stdout_matches": "^max"}, False),
        ({"run": ["printf", "a\nmax 100\n"], "stdout_lacks_match": "^max"}, False),
        ({"run": ["cat"], "stdin": "given", "stdout_has": "given"}, True),
        ({"run": ["cat"]}, True),
        ({"run": ["false"], "rc": [0, 1]}, True),
        ({"run": ["echo", "$HOME;*"], "stdout_has": "$HOME;*"}, True),
        ({"run": ["sh", "-c", "echo $LC_ALL"], "stdout_matches": "^C$"}, True),
    ],
    ids=str,
)
def test_answers(cmd, matched):
    assert ask(cmd).matched is matched


@pytest.mark.parametrize(
    ("cmd", "said"),
    [
        ({"run": ["false"]}, "exit code 1 is not one of"),
        ({"run": ["sh", "-c", "echo why >&2; exit 7"], "rc": [0, 1]}, "exit code 7 is not one of [0, 1]: why"),
        ({"run": ["/no/such/command"]}, "cannot be run: No such file"),
        ({"run": ["sleep", "9"], "timeout": 0.1}, "no answer within 0.1 s"),
    ],
    ids=str,
)
def test_surprises_are_unknown_and_say_what_happened(cmd, said):
    with pytest.raises(Surprise) as caught:
        ask(cmd)
    assert said in str(caught.value)


def test_a_timeout_ends_the_grandchildren_too():
    began = time.monotonic()
    with pytest.raises(Surprise):
        ask({"run": ["sh", "-c", "sleep 30 & wait"], "timeout": 0.2})
    assert time.monotonic() - began < 10


def test_our_own_commands_must_succeed():
    assert must(["echo", "x"]) == "x\n"
    with pytest.raises(ActionError, match="exit code 1: no output"):
        must(["false"])


def test_a_daemon_left_behind_is_not_waited_for():
    """It holds the output open for as long as it lives."""
    begun = time.monotonic()
    assert execute(["sh", "-c", "sleep 5 & echo started"]).stdout == "started\n"
    assert time.monotonic() - begun < 4


def test_a_command_with_much_to_say_and_to_hear():
    text = "x" * 300_000
    assert execute(["cat"], stdin=text).stdout == text


# What a package manager says where the disk is full, which is when its words are wanted most.
FULL = """
import json, os, subprocess, sys, tempfile

subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=8k", "none", sys.argv[1]])
os.environ["TMPDIR"] = sys.argv[1]
with open(tempfile.gettempdir() + "/full", "wb") as stream:  # as long as there was room, Python chose that folder
    stream.write(b"x" * 8192)
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import run

print(json.dumps(run(["sh", "-c", "echo E: No space left on device; exit 100"], 30)))
"""


@only_root
def test_what_a_package_manager_says_is_heard_on_a_full_disk(tmp_path):
    assert played(FULL, tmp_path) == [100, "E: No space left on device\n"]
