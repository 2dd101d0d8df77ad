"""A file system that is mounted read-only, as /usr is on hosts that are images: what was not changed is not held."""

import json

import pytest
from tests.unit.collection.own_mounts import only_root, played

# An action on a real read-only mount: there the kernel refuses even to remove nothing.
PLAY = """
import json, subprocess, sys
from pathlib import Path
from tests.unit.collection.target import Target, remedy

target = Target(Path(sys.argv[1]))
subprocess.check_call(["mount", "-t", "tmpfs", "none", str(target.root)])
Path(target.path("there.conf")).write_text("a\\nb\\n")
subprocess.check_call(["mount", "-o", "remount,ro", str(target.root)])
before = target.tree()
asked = json.loads(sys.argv[2])
asked["params"]["path"] = target.path(asked["params"]["path"])
result = target.present(remedy("CVE-1", asked))[0]
assert target.tree() == before
print(json.dumps([result["state"], result["reason"], len(target.in_force())]))
"""
ACTIONS = [
    {"type": "file", "params": {"path": "there.conf", "content": "c\n"}},
    {"type": "file", "params": {"path": "new.conf", "content": "c\n"}},
    {"type": "file", "params": {"path": "folder/new.conf", "content": "c\n"}},
    {"type": "file", "params": {"path": "there.conf", "absent": True}},
    {"type": "line", "params": {"path": "there.conf", "match": "^a", "line": "c"}},
    {"type": "file_mode", "params": {"path": "there.conf", "mode": "0600"}},
]


@only_root
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: "-".join([action["type"], *action["params"]]))
def test_what_could_not_be_changed_is_not_held(tmp_path, action):
    state, reason, in_force = played(PLAY, tmp_path, json.dumps(action))
    assert (state, in_force) == ("failed", 0), reason
    assert "Read-only file system" in reason
    assert reason.endswith("everything was put back")
