"""What the engine does about each thing that can be found on a host."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import service
from ansible_collections.stopgap.remediation.plugins.module_utils.engine import Engine
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, JournalError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal


def states(results):
    return [result["state"] for result in results]


def test_a_second_run_changes_nothing(target):
    wanted = remedy("CVE-1", target.file("x.conf"))
    first, second = target.present(wanted)[0], target.present(wanted)[0]
    assert (first["state"], first["changed"]) == ("applied", True)
    assert (second["state"], second["changed"]) == ("applied", False)
    assert second["history"] == first["history"]
    assert second["expires_at"] == first["expires_at"]
    assert [action["changed"] for action in second["actions"]] == [False]


def test_lifting_what_is_not_in_force_touches_nothing(target):
    assert states(target.absent(remedy("CVE-1", target.file("x.conf")))) == ["none"]
    assert not target.base.exists()


def test_what_held_before_is_held_but_never_reverted(target):
    Path(target.path("x.conf")).write_text("ours\n")
    before = target.tree()
    result = target.present(remedy("CVE-1", target.file("x.conf")))[0]
    assert (result["state"], result["changed"]) == ("applied", False)
    assert len(target.in_force()) == 1
    assert states(target.absent(remedy("CVE-1", target.file("x.conf")))) == ["lifted"]
    assert target.tree() == before


def test_what_held_before_may_be_changed_by_anybody(target):
    Path(target.path("x.conf")).write_text("ours\n")
    target.present(remedy("CVE-1", target.file("x.conf")))
    Path(target.path("x.conf")).write_text("somebody else's\n")
    before = target.tree()
    assert states(target.absent(remedy("CVE-1", target.file("x.conf")))) == ["lifted"]
    assert target.tree() == before


def test_a_failed_action_takes_the_others_back(target):
    before = target.tree()
    broken = target.file("bad.conf", validate=["sh", "-c", "echo line 1: no such option >&2; exit 1"])
    result = target.present(remedy("CVE-1", target.file("x.conf"), broken))[0]
    assert result["state"] == "failed"
    assert "line 1: no such option" in result["reason"]
    assert "everything was put back" in result["reason"]
    assert target.tree() == before
    assert [item["state"] for item in result["history"]] == ["intended", "undone"]
    assert not target.in_force()


def test_what_cannot_be_captured_leaves_no_entry(target):
    result = target.present(remedy("CVE-1", target.file("x.conf"), target.mode("missing")))[0]
    assert (result["state"], result["entry"], target.entries()) == ("failed", None, [])
    assert not Path(target.path("x.conf")).exists()


def test_a_check_with_an_unforeseen_exit_code_is_not_a_no(target):
    action = target.flag("flag")
    action["params"]["check"] = {"run": ["sh", "-c", "exit 3"], "rc": [0, 1]}
    result = target.present(remedy("CVE-1", action))[0]
    assert result["state"] == "failed"
    assert "exit code 3 is not one of [0, 1]" in result["reason"]
    assert not Path(target.path("flag")).exists()


def test_a_change_that_does_not_take_fails(target):
    action = target.flag("flag")
    action["params"]["apply"] = {"run": ["true"]}
    result = target.present(remedy("CVE-1", action))[0]
    assert result["state"] == "failed"
    assert "did not take" in result["reason"]


@pytest.mark.parametrize("change", ["content", "gone", "mode"])
def test_a_foreign_change_refuses_the_whole_entry(target, change):
    Path(target.path("x.conf")).write_text("theirs\n")
    wanted = remedy("CVE-1", target.file("x.conf"), target.file("y.conf"))
    target.present(wanted)
    meddle(Path(target.path("x.conf")), change)
    before = target.tree()
    result = target.absent(wanted)[0]
    assert (result["state"], result["changed"]) == ("refused", False)
    assert "x.conf" in result["reason"]
    assert "y.conf" not in result["reason"]
    assert target.tree() == before
    assert [entry["state"] for entry in target.in_force()] == ["applied"]


def meddle(path, change):
    if change == "content":
        path.write_text("somebody else's\n")
    elif change == "gone":
        path.rename(path.with_suffix(".bak"))
    else:
        path.chmod(0o640)


def test_force_lifts_over_a_foreign_change_and_keeps_what_it_overwrites(target):
    wanted = remedy("CVE-1", target.file("x.conf"))
    target.present(wanted)
    Path(target.path("x.conf")).write_text("somebody else's\n")
    assert states(target.absent(wanted, force=True)) == ["lifted"]
    assert target.tree() == {}
    saved = target.entries()[0]["actions"][0]["overwritten"]["saved"]
    assert Path(target.journal().path_of(saved)).read_text() == "somebody else's\n"


def test_what_somebody_put_back_already_needs_no_force(target):
    wanted = remedy("CVE-1", target.file("x.conf"))
    target.present(wanted)
    Path(target.path("x.conf")).unlink()
    assert states(target.absent(wanted)) == ["lifted"]
    assert target.tree() == {}


def test_a_lost_mitigation_is_put_in_force_again_and_their_change_is_the_new_way_back(target):
    """For no longer than before: only a proof gives more time."""
    wanted = remedy("CVE-1", target.file("x.conf"))
    first = target.present(wanted)[0]
    Path(target.path("x.conf")).write_text("somebody else's\n")
    before = target.tree()
    result = target.present(wanted)[0]
    assert (result["state"], result["changed"]) == ("applied", True)
    assert [item["state"] for item in result["history"]] == ["intended", "applied", "intended", "applied"]
    assert result["expires_at"] == first["expires_at"]
    assert Path(target.path("x.conf")).read_text() == "ours\n"
    target.absent(wanted)
    assert target.tree() == before


def test_what_cannot_be_put_in_force_again_does_not_take_the_rest_with_it(target):
    Path(target.path("tool")).write_text("x")
    wanted = remedy("CVE-1", target.file("x.conf"), target.mode("tool", "0750"))
    target.present(wanted)
    os.unlink(target.path("tool"))
    before = target.tree()
    result = target.present(wanted)[0]
    assert result["state"] == "failed"
    assert "tool does not exist, so it has no mode to change; what was lost of it stays lost" in result["reason"]
    assert target.tree() == before
    assert target.present(wanted)[0]["history"] == result["history"]
    Path(target.path("tool")).write_text("back again")
    assert states(target.present(wanted)) == ["applied"]
    target.absent(wanted)
    assert sorted(target.tree()) == ["tool"]


def test_what_somebody_wrote_is_not_overwritten_where_it_cannot_be_saved(target, monkeypatch):
    wanted = remedy("CVE-1", target.file("x.conf"))
    target.present(wanted)
    Path(target.path("x.conf")).write_text("somebody else's\n")
    monkeypatch.setattr(Journal, "save", full_disk)
    result = target.present(wanted)[0]
    assert (result["state"], Path(target.path("x.conf")).read_text()) == ("failed", "somebody else's\n")
    assert "no space left on device" in result["reason"]


def full_disk(*args):
    raise JournalError("no space left on device")


def test_followed_once_when_applied_and_once_when_lifted(target):
    step = {"type": "run", "params": ["sh", "-c", f"echo ran >> {target.base}/log"]}
    wanted = remedy("CVE-1", target.file("x.conf"), then=[step])
    target.present(wanted)
    target.present(wanted)
    assert (target.base / "log").read_text() == "ran\n"
    target.absent(wanted)
    assert (target.base / "log").read_text() == "ran\nran\n"


def test_nothing_changed_means_nothing_restarted(target):
    Path(target.path("x.conf")).write_text("ours\n")
    target.present(remedy("CVE-1", target.file("x.conf"), then=[{"type": "run", "params": ["false"]}]))
    assert len(target.in_force()) == 1


def test_a_failed_step_puts_everything_back_and_says_which(target):
    result = target.present(remedy("CVE-1", target.file("x.conf"), then=[{"type": "run", "params": ["false"]}]))[0]
    assert result["state"] == "failed"
    assert "false: exit code 1" in result["reason"]
    assert target.tree() == {}


def test_what_was_put_back_after_a_failed_step_is_followed_too(target):
    """A daemon that has read our configuration, and then was not well, has to read its old one again."""
    log = {"type": "run", "params": ["sh", "-c", f"echo ran >> {target.base}/log"]}
    is_well = {"type": "run", "params": ["test", "!", "-e", target.path("x.conf")]}
    result = target.present(remedy("CVE-1", target.file("x.conf"), then=[log, is_well]))[0]
    assert result["reason"].endswith("everything was put back")
    assert (target.base / "log").read_text() == "ran\nran\n"


def test_what_never_came_to_its_steps_is_followed_by_none(target):
    log = {"type": "run", "params": ["sh", "-c", f"echo ran >> {target.base}/log"]}
    broken = target.file("bad.conf", validate=["false"])
    assert states(target.present(remedy("CVE-1", target.file("x.conf"), broken, then=[log]))) == ["failed"]
    assert not (target.base / "log").exists()


def test_a_step_that_fails_after_lifting_is_run_again_by_the_next(target):
    """And by that alone: what was lifted is not ours any more."""
    gate = f"{target.base}/gate"
    wanted = remedy("CVE-1", target.file("x.conf"), then=[{"type": "run", "params": ["test", "-e", gate]}])
    target.base.mkdir()
    Path(gate).touch()
    target.present(wanted)
    Path(gate).unlink()
    assert states(target.absent(wanted)) == ["failed"]
    assert [entry["state"] for entry in target.in_force()] == ["lifting"]
    Path(target.path("x.conf")).write_text("somebody else's\n")
    before = target.tree()
    Path(gate).touch()
    assert states(target.absent(wanted)) == ["lifted"]
    assert target.tree() == before


def test_check_mode_predicts_and_leaves_no_trace(target):
    wanted = remedy("CVE-1", target.file("x.conf"), target.flag("flag"))
    predicted = target.present(wanted, check=True)[0]
    assert (predicted["state"], predicted["changed"], predicted["entry"]) == ("would_apply", True, None)
    assert target.tree() == {}
    assert not target.base.exists()
    target.present(wanted)
    assert states(target.present(wanted, check=True)) == ["applied"]
    before = target.tree()
    predicted = target.absent(wanted, check=True)[0]
    assert (predicted["state"], predicted["changed"]) == ("would_lift", True)
    assert target.tree() == before
    meddle(Path(target.path("x.conf")), "content")
    assert states(target.absent(wanted, check=True)) == ["refused"]


def test_diff_shows_the_contents(target):
    Path(target.path("x.conf")).write_text("theirs\n")
    wanted = remedy("CVE-1", target.file("x.conf"))
    for check in (True, False):
        diff = target.run("present", wanted, check=check)[1]
        assert [(item["before"], item["after"]) for item in diff] == [("theirs\n", "ours\n")]
    for check in (True, False):
        diff = target.run("absent", wanted, check=check)[1]
        assert [(item["before"], item["after"]) for item in diff] == [("ours\n", "theirs\n")]


def test_a_new_revision_with_other_deeds_replaces_the_old_without_a_gap(target):
    target.present(remedy("CVE-1", target.file("x.conf"), target.file("old.conf")))
    results = target.present(remedy("CVE-1", target.file("x.conf"), target.file("new.conf"), revision=2))
    assert states(results) == ["applied", "lifted"]
    assert sorted(target.tree()) == ["new.conf", "x.conf"]
    target.absent(remedy("CVE-1", target.file("x.conf"), revision=2))
    assert target.tree() == {}


def test_check_mode_tells_that_a_new_revision_lets_go_of_the_old_deeds(target):
    target.present(remedy("CVE-1", target.file("x.conf"), target.file("old.conf")))
    newer = remedy("CVE-1", target.file("x.conf"), target.file("new.conf"), revision=2)
    predicted, done = target.present(newer, check=True), target.present(newer)
    assert states(predicted) == ["would_apply", "would_lift"]
    assert [result["actions"] for result in predicted] == [result["actions"] for result in done]


@pytest.mark.parametrize("order", [1, -1])
def test_check_mode_over_holders_of_different_values_says_what_a_run_then_does(target, order):
    Path(target.path("x.conf")).write_text("theirs\n")
    both = [remedy("CVE-1", target.file("x.conf", "a\n")), remedy("CVE-2", target.file("x.conf", "b\n"))]
    for state, wanted in (("present", both), ("absent", both[::order])):
        predicted, done = target.run(state, *wanted, check=True)[0], target.run(state, *wanted)[0]
        assert [result["changed"] for result in predicted] == [result["changed"] for result in done]
    assert states(predicted) == ["would_lift"] * 2


def test_who_answers_for_a_mitigation_in_force_is_changed_by_asking(target):
    """A line of its history says so: ledgers hear of nothing else."""
    asked = remedy("CVE-1", target.file("x.conf"))
    assert target.present(asked, owner="ann")[0]["owner"] == "ann"
    for check in (True, False):
        told = target.present(asked, owner="bob", check=check)[0]
        assert (told["owner"], told["changed"], told["state"]) == ("bob", True, "applied")
        assert told["reason"] == "in force already; bob answers for it from now on, before it was ann"
        assert [one["owner"] for one in target.entries()] == ["ann" if check else "bob"]
    last = target.entries()[0]["history"][-1]
    assert (last["state"], last["reason"]) == ("applied", "bob answers for it from now on, before it was ann")
    for options in ({"owner": "bob"}, {}):
        again = target.present(asked, **options)[0]
        assert (again["owner"], again["changed"], again["reason"]) == ("bob", False, "in force already")


def test_who_answers_stays_the_same_when_a_new_revision_replaces_the_old(target):
    target.present(remedy("CVE-1", target.file("x.conf")), owner="ann")
    assert target.present(remedy("CVE-1", target.file("new.conf"), revision=2))[0]["owner"] == "ann"
    assert target.present(remedy("CVE-1", target.file("newer.conf"), revision=3), owner="bob")[0]["owner"] == "bob"


def test_who_answers_is_not_changed_where_it_could_not_be_put_right(target):
    asked = remedy("CVE-1", target.file("folder/x.conf"))
    Path(target.path("folder")).mkdir()
    target.present(asked, owner="ann")
    shutil.rmtree(target.path("folder"))
    Path(target.path("folder")).write_text("no folder any more")
    told = target.present(asked, owner="bob")[0]
    assert (told["state"], told["owner"]) == ("failed", "ann")
    assert target.entries()[0]["owner"] == "ann"


def test_a_new_revision_with_the_same_deeds_changes_nothing(target):
    target.present(remedy("CVE-1", target.file("x.conf")))
    result = target.present(remedy("CVE-1", target.file("x.conf"), revision=2))[0]
    assert (result["changed"], result["revision"]) == (False, 2)
    assert target.entries()[0]["revision"] == 2


def test_a_withdrawn_mitigation_is_not_applied(target):
    withdrawn = remedy("CVE-1", target.file("x.conf"), status="withdrawn")
    assert target.present(withdrawn)[0]["reason"] == "CVE-1 has no valid mitigation"
    assert target.present(withdrawn, mitigation="m")[0]["reason"] == "mitigation m was withdrawn"
    assert target.present(withdrawn, mitigation="z")[0]["reason"] == "CVE-1 has no mitigation z"
    assert target.tree() == {}


def test_an_unknown_action_type_fails_with_its_name(target):
    result = target.present(remedy("CVE-1", {"type": "wish", "params": {}}))[0]
    assert result["state"] == "failed"
    assert "no action type wish" in result["reason"]


def tasks(**params):
    return {"type": "tasks", "params": {"apply": "apply.yml", "revert": "revert.yml", "vars": {"a": 1}, **params}}


def test_task_files_are_run_by_the_role_last_and_taken_back_first(target):
    wanted = remedy("CVE-1", target.file("x.conf"), tasks())
    asked = target.present(wanted)[0]
    assert asked["state"] == "pending_tasks"
    assert asked["pending_tasks"] == [
        {"entry": asked["entry"], "action": 1, "phase": "apply", "file": "apply.yml", "vars": {"a": 1}}
    ]
    done = [(asked["entry"], 1)]
    assert states(target.present(wanted)) == ["pending_tasks"]
    assert states(target.present(wanted, done=done)) == ["applied"]
    asked = target.absent(wanted)[0]
    assert (asked["state"], asked["pending_tasks"][0]["phase"]) == ("pending_tasks", "revert")
    assert Path(target.path("x.conf")).exists()
    assert states(target.absent(wanted, done=done)) == ["lifted"]
    assert target.tree() == {}


def test_what_a_check_found_in_force_is_not_ours_to_take_back(target):
    wanted = remedy("CVE-1", tasks(check="check.yml"))
    asked = target.present(wanted)[0]
    result = target.present(wanted, done=[(asked["entry"], 0, True)])[0]
    assert (result["state"], result["actions"][0]["changed"]) == ("applied", False)
    assert states(target.absent(wanted)) == ["lifted"]


def test_what_a_run_that_died_may_have_done_is_ours_whatever_the_check_finds(target):
    wanted = remedy("CVE-1", tasks(check="check.yml"))
    asked = target.present(wanted)[0]
    target.present(wanted)  # the next run, which asks again
    assert states(target.present(wanted, done=[(asked["entry"], 0, True)])) == ["applied"]
    assert states(target.absent(wanted)) == ["pending_tasks"]


def test_what_one_of_two_remedies_did_is_taken_back_with_the_last(target):
    """The check of the second finds what the first did: lifting the first leaves it, lifting the second undoes it."""
    for name, found in (("CVE-1", False), ("CVE-2", True)):
        asked = target.present(remedy(name, tasks(check="check.yml")))[0]
        target.present(remedy(name, tasks(check="check.yml")), done=[(asked["entry"], 0, found)])
    assert states(target.absent(remedy("CVE-1", tasks(check="check.yml")))) == ["lifted"]
    assert states(target.absent(remedy("CVE-2", tasks(check="check.yml")))) == ["pending_tasks"]


def test_task_files_of_two_remedies_are_taken_back_once(target):
    for name in ("CVE-1", "CVE-2"):
        asked = target.present(remedy(name, tasks()))[0]
        target.present(remedy(name, tasks()), done=[(asked["entry"], 0)])
    assert states(target.absent(remedy("CVE-1", tasks()))) == ["lifted"]
    assert states(target.absent(remedy("CVE-2", tasks()))) == ["pending_tasks"]


def test_a_change_the_disk_has_no_room_to_record_is_put_back(target, monkeypatch):
    wanted, room = remedy("CVE-1", target.file("x.conf"), target.file("y.conf")), iter(range(3))
    write = Journal.write

    def write_while_there_is_room(journal, entry):
        if next(room, None) is None:
            raise JournalError("no space left on device")
        write(journal, entry)

    monkeypatch.setattr(Journal, "write", write_while_there_is_room)
    result = target.present(wanted)[0]
    assert (result["state"], target.tree()) == ("failed", {})
    assert "no space left on device; all was put back, but then" in result["reason"]
    monkeypatch.setattr(Journal, "write", write)
    assert states(target.absent(wanted)) == ["lifted"]


def test_a_crash_between_intent_and_deed_does_not_make_an_old_state_the_way_back(target, monkeypatch):
    wanted = remedy("CVE-1", target.file("x.conf"))
    monkeypatch.setattr(Engine, "_apply", stop)
    with pytest.raises(KeyboardInterrupt):
        target.present(wanted)
    monkeypatch.undo()
    Path(target.path("x.conf")).write_text("written since\n")
    target.present(wanted)
    target.absent(wanted)
    assert Path(target.path("x.conf")).read_text() == "written since\n"


def stop(*args):
    raise KeyboardInterrupt


def test_check_mode_takes_nothing_back_of_a_run_that_was_cut_short(target, monkeypatch):
    Path(target.path("tool")).write_text("x")
    wanted, apply = remedy("CVE-1", target.file("x.conf"), target.mode("tool", "0750")), Engine._apply
    monkeypatch.setattr(Engine, "_apply", lambda *told: apply(*told) if told[2]["type"] == "file" else stop())
    with pytest.raises(KeyboardInterrupt):
        target.present(wanted)
    monkeypatch.undo()
    Path(target.path("tool")).unlink()
    before = target.tree()
    result = target.present(wanted, check=True)[0]
    assert (result["state"], target.tree()) == ("failed", before)
    assert "tool does not exist" in result["reason"]
    assert states(target.present(wanted)) == ["failed"]
    assert target.tree() == {}


def test_setuid_bits_come_back(target):
    Path(target.path("tool")).write_text("x")
    os.chown(target.path("tool"), 0, 12345)
    os.chmod(target.path("tool"), 0o6755)
    before = target.tree()
    wanted = remedy("CVE-1", target.mode("tool", "0750", group="root"))
    target.present(wanted)
    assert os.stat(target.path("tool")).st_mode & 0o7777 == 0o750
    target.absent(wanted)
    assert target.tree() == before


class MaskedPair:
    """A socket and a service: systemd starts neither while one is masked, nor the service before the socket."""

    def __init__(self):
        self.masked, self.active = set(), {"x.socket", "x.service"}

    def __call__(self, argv):
        verb, unit = argv[1], argv[-1]
        if verb == "show":
            state = "active" if unit in self.active else "inactive"
            asked = argv[2].partition("=")[2].split(",")
            told = {"ActiveState": state, "UnitFileState": "masked" if unit in self.masked else "static"}
            return "".join(f"{name}={told.get(name, '')}\n" for name in asked)
        if verb == "start" and (self.masked or (unit == "x.service" and "x.socket" not in self.active)):
            raise ActionError(f"Failed to start {unit}: Unit is masked.")
        change = {"start": self.active.add, "stop": self.active.discard}
        {**change, "mask": self.masked.add, "unmask": self.masked.discard}[verb](unit)
        return ""


@pytest.mark.parametrize("names", [["x.socket", "x"], ["x", "x.socket"]])
def test_a_masked_socket_and_its_masked_service_come_back_in_any_order(target, monkeypatch, names):
    systemd = MaskedPair()
    monkeypatch.setattr(service, "must", systemd)
    actions = [{"type": "service", "params": {"name": name, "running": False, "masked": True}} for name in names]
    wanted = remedy("CVE-1", *actions)
    assert states(target.present(wanted)) == ["applied"]
    assert (systemd.masked, systemd.active) == ({"x.socket", "x.service"}, set())
    assert states(target.absent(wanted)) == ["lifted"]
    assert (systemd.masked, systemd.active) == (set(), {"x.socket", "x.service"})


def test_a_masked_socket_and_its_masked_service_come_back_where_a_later_action_fails(target, monkeypatch):
    systemd = MaskedPair()
    monkeypatch.setattr(service, "must", systemd)
    actions = [{"type": "service", "params": {"name": n, "running": False, "masked": True}} for n in ("x.socket", "x")]
    broken = target.file("bad.conf", validate=["false"])
    result = target.present(remedy("CVE-1", *actions, broken))[0]
    assert "everything was put back" in result["reason"]
    assert (systemd.masked, systemd.active) == (set(), {"x.socket", "x.service"})


def test_what_only_a_newer_version_can_lift_hides_nothing_of_the_others(target):
    target.present(remedy("CVE-1", target.file("x.conf")), remedy("CVE-2", target.flag("y")))
    path = next(path for path in target.base.glob("journal/*/entry.json") if "CVE-1" in path.read_text())
    path.write_text(path.read_text().replace('"type": "file"', '"type": "novel"'))
    for order in ([2, 1], [1, 2]):
        told = {one["remedy"]: one for one in target.absent(*(remedy(f"CVE-{n}") for n in order))}
        assert told["CVE-1"]["state"] == "failed"
        assert "no action type novel here" in told["CVE-1"]["reason"]
        assert told["CVE-2"]["state"] == ("lifted" if order == [2, 1] else "none")
    assert [one["remedy"] for one in json.loads(target.fact.read_text())["mitigations"]] == ["CVE-1"]
