"""What holds for every action type: a second run changes nothing, check mode says what a run does, nothing leaks."""

import json
from pathlib import Path

import pytest
from tests.unit.collection.rows import ROWS, drive, item, write
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.facts import effect_of
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import Holds
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import entry_info

MARKER = "marker-5e1f"


@pytest.fixture(params=ROWS, ids=str)
def row(request, target, monkeypatch):
    request.param.prepare(target, monkeypatch)
    return request.param


def deeds(result):
    """What prediction and deed have to agree on."""
    named = {"would_apply": "applied", "would_lift": "lifted"}
    return result["changed"], named.get(result["state"], result["state"]), result["actions"]


def by_tasks(result):
    return [action["type"] for action in result["actions"]] == ["tasks"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_says_what_a_real_run_then_does(target, row, state):
    wanted = row.remedy(target)
    if state == "absent":
        drive(target, "present", wanted)
    before, journal = row.seen(target), stored(target)
    predicted, foreseen = target.run(state, wanted, check=True)
    assert (row.seen(target), stored(target)) == (before, journal)
    done, seen = target.run(state, wanted)
    if done[0]["state"] == "pending_tasks":
        done, seen = target.run(state, wanted, done=[(done[0]["entry"], 0)])
    assert deeds(predicted[0]) == deeds(done[0])
    assert foreseen == seen


@pytest.mark.parametrize("lifted", ["CVE-1 CVE-2", "CVE-2 CVE-1"])
def test_check_mode_over_two_remedies_that_hold_the_same_says_what_a_run_then_does(target, row, lifted):
    """What is done for the first decides what is left to do for the second."""
    both = {name: dict(row.remedy(target), id=name) for name in ("CVE-1", "CVE-2")}
    for state, wanted in (("present", both.values()), ("absent", [both[name] for name in lifted.split()])):
        predicted, _diffs = target.run(state, *wanted, check=True)
        done = drive(target, state, *wanted)
        if not by_tasks(predicted[0]):  # two calls of the module, of which the second tells its part only
            assert changes_of(predicted) == changes_of(done)


def changes_of(results):
    return [(deeds(result)[:2], [action["changed"] for action in result["actions"]]) for result in results]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_second_run_changes_nothing(target, row, state):
    wanted = row.remedy(target)
    drive(target, "present", wanted)
    if state == "absent":
        drive(target, "absent", wanted)
    before, journal = row.seen(target), stored(target)
    for check in (False, True):
        result = target.run(state, wanted, check=check)[0][0]
        assert (result["changed"], result["state"]) == (False, "applied" if state == "present" else "none")
        assert not any(action["changed"] for action in result["actions"])
        assert (row.seen(target), stored(target)) == (before, journal)


def stored(target):
    """All entries of the journal, with the moment at which each was written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in target.base.glob("journal/*/entry.json")}


def secret_line(host):
    return item("line", path=host.path("dark.conf"), match="^password", line=f"password {MARKER}")


SECRETS = {
    "content": lambda host: host.file("new.conf", f"{MARKER}\n", mode="0600"),
    "content-over-it": lambda host: host.file("dark.conf", "nothing\n", mode="0644"),
    "content-under-it": lambda host: host.file("open.conf", f"{MARKER}\n", mode="0600"),
    "absent": lambda host: item("file", path=host.path("dark.conf"), absent=True),
    "line": secret_line,
    "line-absent": lambda host: item("line", path=host.path("dark.conf"), match="^password", absent=True),
    "option": lambda host: item("ini_option", path=host.path("dark.conf"), option="password", value=MARKER),
    "stdin": lambda host: with_stdin(host, {}),
    "stdin-refused": lambda host: with_stdin(host, {"run": ["sh", "-c", "cat >&2; exit 1"]}),
    "content-refused": lambda host: host.file(
        "new.conf", f"{MARKER}\n", mode="0600", validate=["sh", "-c", f"cat {host.path('new.conf')}; exit 1"]
    ),
}


def with_stdin(host, options):
    action = host.flag("flag")
    action["params"]["apply"] |= {"stdin": f"{MARKER}\n", **options}
    return action


@pytest.mark.parametrize("name", SECRETS)
def test_nothing_of_a_closed_file_or_of_standard_input_is_told(target, name):
    """Neither in results, from which the events are made, nor in diffs, nor in the fact, which everybody may read."""
    write(target, "dark.conf", f"password old-{MARKER}\n", 0o600)
    write(target, "open.conf", "nothing\n", 0o644)
    wanted, told = remedy("CVE-1", SECRETS[name](target)), []
    for state in ("present", "absent"):
        for check in (True, False):
            told.append(target.run(state, wanted, check=check))
    target.present(wanted)
    effects = [effect_of(entry, Holds(target.journal(), target.in_force())) for entry in target.in_force()]
    for path in ("dark.conf", "open.conf", "new.conf"):
        meddle(Path(target.path(path)))
    effects += [effect_of(entry, Holds(target.journal(), target.in_force())) for entry in target.in_force()]
    told += [target.run("absent", wanted), target.run("present", wanted), target.run("absent", wanted, force=True)]
    told += [[entry_info(entry) for entry in target.entries()], effects]
    assert MARKER not in json.dumps(told)
    assert not target.fact.exists() or MARKER not in target.fact.read_text()
    assert "refused" in name or "lifted" in {results[0]["state"] for results, _diffs in told[:-2]}


def meddle(path):
    if path.exists():
        path.write_text(path.read_text() + f"password more-{MARKER}\n")
