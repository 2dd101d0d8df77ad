# SPDX-License-Identifier: Apache-2.0
"""What a host said in one verb, as the decisions in flow.py take it. Pure.

Hosts are not trusted (P9): of what they returned only known words about remedies of this run are taken, in known shapes, so
that one broken or hostile host can neither stop the batch nor choose what the controller does.
"""

STATES = ("unknown", "not_affected", "exposed", "mitigated", "patched")
# What the role registers, as (variable, key of the module's answer), and the modes that take the step. Registered
# variables outlive a play: what an earlier verb of the same run left behind is not heard.
REGISTERED = {
    "assess": {
        ("__remediate_assessed", "assessments"): ("assess", "fix", "remediate", "verify", "recheck", "lift"),
        ("__remediate_mitigated", "assessments"): ("mitigate",),
        ("__remediate_left", "assessments"): ("fix", "remediate"),
        ("__remediate_booted", "assessments"): ("fix", "remediate"),
        ("__remediate_back", "assessments"): ("fix", "remediate"),
    },
    "patch": {("__remediate_patched", "results"): ("fix", "remediate")},
    "mitigation": {
        ("__remediate_mitigated", "results"): ("mitigate", "remediate"),
        ("__remediate_sheltered", "results"): ("fix", "remediate"),
        ("__remediate_back", "results"): ("fix", "remediate"),
    },
    "rollback": {("__remediate_rolled_back", "results"): ("fix", "remediate")},
    "lift": {("__remediate_lifted", "results"): ("fix", "remediate", "lift")},
}
# What an include of its own registers: heard only for what it was to finish.
FINISHED = {"mitigation": "__remediate_finished", "lift": "__remediate_taken_back"}


def said(variables, mode, host):
    """Lists under assess, patch, mitigation, rollback, lift and verification; a later word on a remedy comes later in its list.

    A step that was skipped or broke said nothing; a remedy that no assessment answers is unknown.
    """
    ids = _meant(variables, host)
    told = {
        name: [one for place, modes in places.items() if mode in modes for one in _of(variables, *place)]
        for name, places in REGISTERED.items()
    }
    told["assess"] = _assessments(told["assess"], ids)
    for name in ("patch", "mitigation", "rollback", "lift"):
        told[name] = _results(told[name], ids)
    for name, register in FINISHED.items():
        ends = by_remedy(_results(_of(variables, register, "results"), ids))
        told[name] = [finished(begun, ends.get(begun["remedy"])) for begun in told[name]]
    told["verification"] = _verdicts(variables, "__remediate_verified", host)
    if any(one["state"] == "rolled_back" for one in told["rollback"]):
        told["verification"] += _verdicts(variables, "__remediate_reproven", host)
    if any(one["state"] == "lifted" for one in told["lift"]):
        told["assess"] += _heard(_of(variables, "__remediate_reassessed", "assessments"), ids)
        told["verification"] += _verdicts(variables, "__remediate_reverified", host)
    return told


def _meant(variables, host):
    """Ids of the run's remedies, or of those that are due on this host."""
    ids = [remedy["id"] for remedy in _of(variables, "__remediate_chosen", "remedies")]
    chosen = variables.get("__remediate_chosen")
    due = chosen.get("due") if isinstance(chosen, dict) else None
    return [one for one in ids if one in due.get(host, ())] if due else ids


def finished(begun, end):
    """The end of what was begun, where there is one: of the same entry, and later in its history."""
    if begun["state"] != "pending_tasks" or not end or end["entry"] != begun["entry"]:
        return begun
    return end if end["steps"] > begun["steps"] else begun


def by_remedy(items):
    return {item["remedy"]: item for item in items}


def _of(variables, register, key):
    answer = variables.get(register)
    items = answer.get(key) if isinstance(answer, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _verdicts(variables, register, host):
    """The verifier ran on the controller: its answer has the shape of contracts.md."""
    answer = variables.get(register)
    results = answer.get("results") if isinstance(answer, dict) else None
    return list(results.get(host) or []) if isinstance(results, dict) else []


def _assessments(items, ids):
    heard = _heard(items, ids)
    answered = by_remedy(heard)
    return heard + [_silence(remedy) for remedy in ids if remedy not in answered]


def _heard(items, ids):
    return [one for one in map(_assessment, items) if one and one["remedy"] in ids]


def _assessment(item):
    if item.get("state") not in STATES or not isinstance(item.get("remedy"), str):
        return None
    evidence = item.get("evidence")
    held = evidence.get("mitigation") if isinstance(evidence, dict) else None
    return {
        "remedy": item["remedy"],
        "state": item["state"],
        "code": str(item.get("code")),
        "reason": str(item.get("reason")),
        "mitigation": str(held["id"]) if isinstance(held, dict) and held.get("id") else None,
    }


def _silence(remedy):
    reason = "the host gave no assessment"
    return {"remedy": remedy, "state": "unknown", "code": "no_assessment", "reason": reason, "mitigation": None}


def _results(items, ids):
    return [_result(item) for item in items if item.get("remedy") in ids and isinstance(item.get("state"), str)]


def _result(item):
    history, tasks = item.get("history"), item.get("pending_tasks")
    return {
        "remedy": item["remedy"],
        "state": item["state"],
        "code": str(item.get("code")),
        "reason": str(item.get("reason")),
        "reboot_required": item.get("reboot_required") is True,
        "way_back": _way_back(item.get("rollback")),
        "mitigation": str(item["mitigation"]) if item.get("mitigation") else None,
        "entry": str(item.get("entry")),
        "steps": len(history) if isinstance(history, list) else 0,
        "changed": bool(item.get("changed")),
        "pending_tasks": [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else [],
    }


def _way_back(told):
    """Whether a fix can be taken back, where the host has one to take back."""
    if not isinstance(told, dict):
        return None
    return {"possible": told.get("possible") is True, "reason": str(told.get("reason"))}
