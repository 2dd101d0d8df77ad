"""P7 as a property: overlapping remedies applied and lifted in any order, with foreign edits and crashes in between,
end as the host would be without them, or stop with the difference named.

2,000 sequences, the same ones every time; STOPGAP_SEQUENCES=20000 tries that many new ones.
"""

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.collection.deaths import crashed_at
from tests.unit.collection.target import Target, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode
from ansible_collections.stopgap.remediation.plugins.module_utils.facts import in_effect
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import Holds

MORE = os.environ.get("STOPGAP_SEQUENCES")
OLD = 1_600_000_000_123_456_789
TEXT = "# a file\none 1\ntwo 2\nport 1\nthree 3\nfour 4\n[s]\nopt = 0\nother = 0\n[t]\nopt = 0\n"
BEFORE = {  # name: (content, mode)
    "lines.conf": (TEXT, 0o644),
    "dark.conf": (TEXT, 0o600),
    "whole.conf": (TEXT, 0o4640),
    "unwanted.conf": ("bad\n", 0o664),
    "tool": ("#!/bin/true\n", 0o6755),
}


def item(kind, **params):
    return {"type": kind, "params": params}


def overlapping(host):
    """Every one of them shares something with others: a file, a line, an option, a mode, a folder, a command."""

    def line(name, **params):
        return item("line", path=host.path(name), **params)

    def option(name, **params):
        return item("ini_option", path=host.path(name), **params)

    def absent(name):
        return item("file", path=host.path(name), absent=True)

    lists = [
        [line("lines.conf", match="^port", line="port 2"), host.flag("flag")],
        [line("lines.conf", match="^port", line="port 3"), host.mode("tool", "0700")],
        [line("lines.conf", line="more 5"), option("lines.conf", section="s", option="opt", value="1")],
        [option("lines.conf", section="s", option="opt", value="2"), line("lines.conf", match="^three", absent=True)],
        [line("lines.conf", match="^port", line="port 2"), host.mode("lines.conf", "0600"), host.flag("flag")],
        [host.file("whole.conf"), host.file("d/new.conf")],
        [host.file("whole.conf", "other\n"), host.mode("tool", "0750")],
        [host.file("d/new.conf"), host.file("d/e/newer.conf"), host.file("link.conf")],
        [absent("unwanted.conf"), host.mode("tool", "0700"), host.file("link.conf")],
        [option("dark.conf", section="t", option="opt", absent=True), absent("unwanted.conf")],
        [option("dark.conf", section="u", option="opt", value="1"), line("dark.conf", match="two", line="two 3")],
        [host.mode("whole.conf", "0600"), host.mode("dark.conf", "0640")],  # the first has no room beside a whole file
    ]
    return [remedy(f"CVE-{number}", *actions) for number, actions in enumerate(lists)]


EDITS = {
    "below": lambda text: text + "theirs 7\n",
    "above": lambda text: "theirs 8\n" + text,
    "the line": lambda text: re.sub(r"(?m)^port.*$", "port 9", text),
    "the option": lambda text: re.sub(r"(?m)^opt = .*$", "opt = 9", text, count=1),
}
NAMES = [*BEFORE, "d/new.conf", "link.conf"]
CRASH = st.one_of(st.none(), st.none(), st.integers(1, 140))
CALL = st.tuples(st.sampled_from(["present", "present", "absent"]), st.integers(0, 11), CRASH)
EDIT = st.tuples(st.sampled_from(["edit"]), st.sampled_from(NAMES), st.sampled_from([*EDITS, "mode", "gone", "link"]))
STEPS = st.lists(st.one_of(CALL, CALL, CALL, EDIT), min_size=2, max_size=9)


class World:
    """A host, and what it would be without us."""

    def __init__(self, root):
        self.host = Target(root)
        for name, (content, mode) in BEFORE.items():
            Path(self.host.path(name)).write_text(content)
            Path(self.host.path(name)).chmod(mode)
            os.utime(self.host.path(name), ns=(OLD, OLD))
        Path(self.host.path("link.conf")).symlink_to("whole.conf")
        self.remedies, self.before = overlapping(self.host), self.host.tree()
        # of each file they edited: the contents and modes it may have in the end
        self.may_be = {}
        self.without_us = {name: self.look(name) for name in NAMES}

    def look(self, name):
        """(what it is, its mode)"""
        path = Path(self.host.path(name))
        if path.is_symlink():
            return f"link to {path.readlink()}", None
        return (path.read_text(), path.stat().st_mode) if path.is_file() else (None, None)

    # -- they

    def edit(self, name, how):
        path, (content, mode) = Path(self.host.path(name)), self.look(name)
        if mode is None and how != "link":
            return  # a link, or nothing: nothing to edit
        if how == "gone":
            path.unlink()
        elif how == "link":
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to("elsewhere")
        elif how == "mode":
            path.chmod(0o604)
        elif EDITS[how](content) == content:
            return
        else:
            path.write_text(EDITS[how](content))
        self.without_us[name] = self.edited(name, how)
        allowed = self.may_be.setdefault(name, {})
        allowed.setdefault("left", []).append(self.look(name))

    def edited(self, name, how):
        """The same edit on the file as it would be without us; where that is none, what they left."""
        content, mode = self.without_us[name]
        if mode is None and how == "mode":
            return content, mode
        if mode is None or how in ("gone", "link"):
            return self.look(name)
        return (content, 0o100604) if how == "mode" else (EDITS[how](content), mode)

    # -- we

    def call(self, state, number, crash=None):
        wanted = self.remedies[number]
        if crash:
            crashed_at(crash, lambda: self.host.run(state, wanted))
            return None
        halfway = any(entry["state"] != "applied" for entry in self.host.in_force())
        before = self.host.tree()
        result = self.host.run(state, wanted)[0][0]
        if result["state"] in ("refused", "none") or (result["state"] == "failed" and not halfway):
            assert self.host.tree() == before, result
        self.judge(result, wanted)
        self.all_in_force()
        return result

    def judge(self, result, wanted):
        touched = [name for name in self.may_be if self.host.path(name) in paths_of(wanted)]
        if result["state"] == "refused":
            assert touched, result["reason"]
            assert re.search(r"\S+:.*/\S+.*: \w+ is .+, not ", result["reason"]), result["reason"]
        elif result["state"] == "failed":
            assert touched or "lift that one first" in result["reason"], result["reason"]
            named = [*paths_of(wanted), self.host.path("elsewhere")]
            assert any(path in result["reason"] for path in named), result["reason"]
        else:
            assert result["state"] in ("applied", "lifted", "none")

    def all_in_force(self):
        """What they left alone is as our journal says."""
        entries = self.host.in_force()
        holds = Holds(self.host.journal(), entries)
        for entry in entries:
            if entry["state"] == "applied" and not self.meddled(entry):
                assert in_effect(entry["actions"], holds)[0], in_effect(entry["actions"], holds)[1]

    def meddled(self, entry):
        return any(self.host.path(name) in paths_of(entry) for name in self.may_be)

    # -- the end

    def assert_as_without_us(self):
        assert not self.host.in_force()
        tree = self.host.tree()
        assert {name for name in tree if name not in self.may_be} - {"d"} <= set(self.before)
        for name, found in self.before.items():
            if name not in self.may_be:
                assert tree.get(name) == found
        if "d/new.conf" not in self.may_be:
            assert "d" not in tree

    def assert_theirs_is_kept(self):
        """A file that nobody holds any more has their edits, and none of ours."""
        for name, allowed in self.may_be.items():
            content, mode = self.look(name)
            assert content in {found[0] for found in [self.without_us[name], *allowed["left"]]}, name
            assert mode in {found[1] for found in [self.without_us[name], *allowed["left"]]}, name


def paths_of(wanted):
    actions = wanted["actions"] if "actions" in wanted else wanted["mitigations"][0]["actions"]
    return {action["params"]["path"] for action in actions if "path" in action["params"]}


@pytest.fixture(autouse=True, scope="module")
def no_dpkg():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_mode, "ADMINDIR", "/nonexistent")
        yield


@settings(
    max_examples=int(MORE or 2000),
    derandomize=not MORE,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS, order=st.permutations(range(12)))
def test_p07_any_sequence_ends_as_without_us_or_names_the_difference(steps, order):
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        world = World(Path(folder))
        for kind, which, how in steps:
            if kind == "edit":
                world.edit(which, how)
            else:
                world.call(kind, which, how)
        told = [world.call("absent", number) for number in order]
        if not any(result["state"] in ("refused", "failed") for result in told):
            world.assert_as_without_us()
            world.assert_theirs_is_kept()
        left = {entry["remedy"] for entry in world.host.in_force()}
        for number in order:  # an operator's word
            if world.remedies[number]["id"] in left:
                world.host.run("absent", world.remedies[number], force=True)
        world.assert_as_without_us()
