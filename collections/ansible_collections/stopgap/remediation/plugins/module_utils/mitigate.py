# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which entry a request is about, and how the outcome is told (contracts §3, mitigation)."""

import contextlib

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import make
from ansible_collections.stopgap.remediation.plugins.module_utils.engine import Engine
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import in_force, new_entry
from ansible_collections.stopgap.remediation.plugins.module_utils.secrecy import hide

USABLE = ("valid", "partial")
DIFF_LIMIT = 100000


def mitigate(journal, remedies, state, mitigation=None, owner="", reason="", force=False, done=()):
    """Handle the whole list under one lock; returns (results, diffs)."""
    if not remedies:
        return [], []  # not even the journal's folder is made
    if state == "absent" and not any(in_force(entry) for entry in journal.entries()):
        return [nothing(remedy, mitigation, "nothing in force")[0] for remedy in remedies], []
    results, diffs = [], []
    with journal.locked():
        entries = journal.entries()
        for remedy in remedies:
            engine = Engine(journal, entries, done)
            if state == "present":
                told = put_in_force(engine, remedy, mitigation, owner, reason)
            else:
                told = lift(engine, remedy, mitigation, force, reason)
            results += [result for result, _diff in told]
            diffs += [item for _result, diff in told for item in diff]
        publish(journal, results)
        with contextlib.suppress(OSError):  # the next run tries again
            journal.tidy()
    return results, diffs


def publish(journal, results):
    """The fact is only a view of the journal: where it cannot be written, what was done is told all the same."""
    try:
        journal.publish()
    except OSError as error:
        for result in results:
            result["reason"] += "; the local fact %s could not be written: %s" % (journal.facts, error.strerror)


def put_in_force(engine, remedy, wanted, owner, reason):
    chosen, why = choose(remedy, wanted, [entry["mitigation"] for entry in held_for(engine, remedy)])
    if chosen is None:
        return [nothing(remedy, wanted, why)]
    entries = [entry for entry in held_for(engine, remedy) if entry["mitigation"] == chosen["id"]]
    same = [entry for entry in entries if is_same(entry, chosen)]
    try:
        before = entries[-1]["owner"] if entries else ""
        entry = same[-1] if same else new_entry(remedy, chosen, owner or before, reason)
        if not entry["actions"]:
            return [nothing(remedy, chosen["id"], "mitigation %s has no actions" % chosen["id"])]
        if entry["revision"] != remedy["revision"]:  # new knowledge, same deeds
            entry["revision"] = remedy["revision"]
            engine.journal.write(entry)
        outcome = engine.present(entry)
        if outcome.state == "applied" and owner not in ("", entry["owner"]):
            said = engine.hand_over(entry, owner)
            outcome = outcome._replace(reason="%s; %s" % (outcome.reason, said))
        told = [finish(engine, entry, outcome)]
    except StopgapError as error:
        return [nothing(remedy, chosen["id"], str(error), "failed")]
    # what an older revision did is let go only now: what both do stays in force
    if entry["state"] == "applied" or outcome.state == "would_apply":
        why = "replaced by revision %s" % remedy["revision"]
        told += [lift_one(engine, remedy, old, False, why) for old in entries if old is not entry]
    return told


def lift(engine, remedy, wanted, force, reason):
    entries = [entry for entry in held_for(engine, remedy) if wanted in (None, "", entry["mitigation"])]
    if not entries:
        return [nothing(remedy, wanted, "nothing in force")]
    return [lift_one(engine, remedy, entry, force, reason) for entry in reversed(entries)]


def lift_one(engine, remedy, entry, force, reason):
    """What a newer version put in force may be more than we can tell of; the other entries are told all the same."""
    try:
        return finish(engine, entry, engine.absent(entry, force, reason))
    except StopgapError as error:
        return nothing(remedy, entry["mitigation"], str(error), "failed")


def choose(remedy, wanted, held):
    """The mitigation asked for, else the one in force, else the first that the remedy's authors stand by."""
    usable = [item for item in remedy["mitigations"] if item.get("status", "valid") in USABLE]
    if wanted:
        match = next((item for item in remedy["mitigations"] if item["id"] == wanted), None)
        if match is None:
            return None, "%s has no mitigation %s" % (remedy["id"], wanted)
        return (match, "") if match in usable else (None, "mitigation %s was withdrawn" % wanted)
    best = sorted(usable, key=lambda item: (item["id"] not in held, USABLE.index(item.get("status", "valid"))))
    return (best[0], "") if best else (None, "%s has no valid mitigation" % remedy["id"])


def held_for(engine, remedy):
    return [entry for entry in engine.entries if entry["remedy"] == remedy["id"] and in_force(entry)]


def is_same(entry, mitigation):
    """Same deeds: then a new revision changes nothing on the host."""
    deeds = [(action["type"], action["params"]) for action in entry["actions"]]
    return entry["then"] == mitigation.get("then", []) and deeds == [
        (action["type"], action["params"]) for action in mitigation["actions"]
    ]


def nothing(remedy, mitigation, reason, state="none"):
    return {
        "remedy": remedy["id"],
        "revision": remedy["revision"],
        "mitigation": mitigation or None,
        "state": state,
        "changed": False,
        "reason": reason,
        "entry": None,
        "history": [],
        "actions": [],
        "pending_tasks": [],
        "ttl_seconds": None,
        "expires_at": None,
        "persists": None,
        "owner": None,
    }, []


def finish(engine, entry, outcome):
    """(the result of the contracts, [diff])"""
    lifting = entry["state"] in ("lifting", "lifted", "undone") or outcome.state in ("would_lift", "refused")
    told = [tell(engine, action, lifting) for action in entry["actions"] if action.get("resource")]
    result = {
        key: entry[key]
        for key in ("remedy", "revision", "mitigation", "history", "ttl_seconds", "expires_at", "persists", "owner")
    }
    result.update(
        entry=entry["entry"] if entry["history"] else None,
        state=outcome.state,
        reason=outcome.reason,
        pending_tasks=outcome.pending,
        actions=[action for action, _diff in told],
        changed=any(action["changed"] for action, _diff in told)
        or entry["entry"] in engine.followed | engine.handed_over,
    )
    secrets = secrets_of(entry)
    return hide(result, secrets), hide([diff for action, diff in told if action["changed"]], secrets)


def tell(engine, action, lifting):
    act = make(action)
    changed = id(action) in engine.touched
    states = [action["prior"], dict(action["prior"], **action["written"])]
    if lifting:
        states.reverse()
    before, after = (act.show(state) for state in states)
    said = {
        "type": action["type"],
        "resource": action["resource"],
        "changed": changed,
        "before": before if changed else after,
        "after": after,
    }
    texts = [act.text(engine.holds.full(state))[:DIFF_LIMIT] for state in states] if changed else ["", ""]
    return said, {
        "before_header": said["resource"],
        "after_header": said["resource"],
        "before": texts[0],
        "after": texts[1],
    }


def secrets_of(entry):
    """What of an entry's parameters nobody may be told, as far as its actions can be read here."""
    found = []
    for action in entry["actions"]:
        with contextlib.suppress(ActionError):
            found += make(action).secrets(action.get("prior") or {})
    return found


def entry_info(entry):
    """An entry for journal_info: no saved contents, no parameters."""
    info = {
        key: entry[key]
        for key in (
            "entry",
            "remedy",
            "revision",
            "mitigation",
            "state",
            "history",
            "owner",
            "reason",
            "ttl_seconds",
            "expires_at",
            "persists",
        )
    }
    info["actions"] = [
        {
            "type": action["type"],
            "resource": action.get("resource"),
            "state": action["state"],
            "changed": action["changed"],
        }
        for action in entry["actions"]
    ]
    return hide(info, secrets_of(entry))
