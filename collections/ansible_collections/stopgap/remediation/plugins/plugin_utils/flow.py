# SPDX-License-Identifier: Apache-2.0
"""What the role does next, decided from what the modules said. Pure: data in, data out, no Ansible."""

AFFECTED = ("exposed", "mitigated", "patched")
# mode -> the states that prove what the mode is for
GOALS = {
    "assess": ("not_affected", "exposed", "mitigated", "patched", "fixed"),
    "mitigate": ("not_affected", "mitigated", "fixed"),
    "fix": ("not_affected", "fixed"),
    "remediate": ("not_affected", "mitigated", "fixed"),
    "verify": ("not_affected", "mitigated", "fixed"),
    "recheck": ("not_affected", "mitigated", "fixed"),
    "lift": (),  # not a state: nothing is held any more
}
# What the role registers, as (variable, key of the module's answer), and the modes that take the step.
# Registered variables outlive a play, so what an earlier verb of the same run left behind must not be heard.
REGISTERED = {
    "assess": {
        ("__remediate_assessed", "assessments"): ("assess", "fix", "remediate", "verify", "recheck", "lift"),
        ("__remediate_mitigated", "assessments"): ("mitigate",),
    },
    "patch": {("__remediate_patched", "results"): ("fix", "remediate")},
    "mitigation": {("__remediate_mitigated", "results"): ("mitigate", "remediate")},
    "lift": {("__remediate_lifted", "results"): ("fix", "remediate", "lift")},
}
# What is registered by an include of its own: only heard for what it was to finish.
FINISHED = {"mitigation": "__remediate_finished", "lift": "__remediate_taken_back"}


def said(variables, mode, host):
    """What one host said in this verb: lists under assess, patch, mitigation, lift and verification.

    A step that was skipped or broke said nothing. Later words come last.
    """
    told = {}
    for name, places in REGISTERED.items():
        told[name] = [item for place, modes in places.items() if mode in modes for item in _answer(variables, *place)]
    for name, register in FINISHED.items():
        ends = by_remedy(_answer(variables, register, "results"))
        told[name] = [ends.get(i["remedy"], i) if i["state"] == "pending_tasks" else i for i in told[name]]
    told["verification"] = list(_answer(variables, "__remediate_verified", "results", {}).get(host) or [])
    if any(item["state"] == "lifted" for item in told["lift"]):
        told["assess"] += list(_answer(variables, "__remediate_reassessed", "assessments"))
        told["verification"] += _answer(variables, "__remediate_reverified", "results", {}).get(host) or []
    return told


def _answer(variables, register, key, nothing=()):
    return (variables.get(register) or {}).get(key) or nothing


def by_remedy(items):
    return dict((item["remedy"], item) for item in items or [])


def wants_fix(remedies, assessments):
    """Remedies whose fix is still owed, or on disk and not proven."""
    states = by_remedy(assessments)
    return [r for r in remedies if states.get(r["id"], {}).get("state") in AFFECTED]


def wants_mitigation(remedies, assessments, patches):
    """Remedies that stay exposed: affected, and no fix came in this run."""
    states, patched = by_remedy(assessments), by_remedy(patches)
    return [
        r
        for r in remedies
        if states.get(r["id"], {}).get("state") in ("exposed", "mitigated")
        and patched.get(r["id"], {}).get("state") not in ("installed", "already", "would_install")
    ]


def wants_lifting(remedies, assessments, verifications, mode, force=False):
    """Remedies whose mitigation may go (P2): the fix is proven in this run, or an operator overrules that.

    Only a lift that was asked for by name can be forced; a fix run never lifts on an operator's word.
    """
    held = set(a["remedy"] for a in assessments or [] if a["evidence"].get("mitigation"))
    proven = set(v["remedy"] for v in verifications or [] if v["phase"] == "fix" and v["verdict"] == "pass")
    allowed = held if (force and mode == "lift") else held & proven
    return [r for r in remedies if r["id"] in allowed]


def verify_target(assessment, mitigation, patch):
    """What to prove for one remedy on one host, or None where there is nothing to prove."""
    if assessment["state"] not in AFFECTED:
        return None
    if (patch or {}).get("state") in ("installed", "already") or (not patch and assessment["state"] == "patched"):
        return {"remedy": assessment["remedy"], "phase": "fix", "mitigation": None}
    held = assessment["evidence"].get("mitigation") or {}
    chosen = mitigation["mitigation"] if (mitigation or {}).get("state") == "applied" else held.get("id")
    if chosen:
        return {"remedy": assessment["remedy"], "phase": "mitigation", "mitigation": chosen}
    return None


def verify_targets(said):
    """Targets of one host that said ``{"assess": [], "mitigation": [], "patch": []}``."""
    mitigations, patches = by_remedy(said["mitigation"]), by_remedy(said["patch"])
    found = [verify_target(a, mitigations.get(a["remedy"]), patches.get(a["remedy"])) for a in said["assess"]]
    return [target for target in found if target]


def lifted_targets(said):
    """After lifting, the fix is proven once more (P2). Targets of one host that said ``{"lift": []}``."""
    return [
        {"remedy": item["remedy"], "phase": "fix", "mitigation": None}
        for item in by_remedy(said["lift"]).values()
        if item["state"] == "lifted"
    ]


def outcome(assessment, mitigation=None, patch=None, verification=None, lift=None):
    """Where one case stands at the end of a run, as ``{"remedy", "state", "reason", "waiting_for"}``.

    A state is only ever raised by a verification of this run: unknown is never fixed and never mitigated (P4).
    """
    state, reason, waiting = assessment["state"], assessment["reason"], None
    if patch and patch["state"] in ("refused", "failed"):
        waiting = patch["reason"]
    if patch and patch["state"] in ("installed", "already"):
        state, reason = "patched", patch["reason"]
    if verification:
        state, reason = proven_state(state, verification)
    elif mitigation and mitigation["state"] in ("failed", "refused", "none"):
        reason = mitigation["reason"]
    elif state == "mitigated":
        state, reason = "unknown", "not verified in this run"
    if lift and lift["state"] in ("refused", "failed"):
        waiting = "mitigation still in force: " + lift["reason"]
    return {"remedy": assessment["remedy"], "state": state, "reason": reason, "waiting_for": waiting}


def proven_state(state, verification):
    """The state after a verification, with its reason."""
    verdict, phase = verification["verdict"], verification["phase"]
    if verdict == "pass":
        return ("fixed" if phase == "fix" else "mitigated"), verification["reason"]
    if verdict == "unknown":
        return "unknown", verification["reason"]
    return ("patched" if phase == "fix" and state != "exposed" else "exposed"), verification["reason"]


def outcomes(said, mode):
    """All cases of one host. *said*: lists under assess, mitigation, patch, verification, lift; *mode* as in GOALS."""
    index = dict((key, by_remedy(said.get(key))) for key in ("mitigation", "patch", "verification", "lift"))
    for remedy, lifted in index["lift"].items():
        if lifted["state"] == "lifted":
            index["patch"].pop(remedy, None)  # assessed again since: the later word counts
    found = []
    for assessment in by_remedy(said.get("assess")).values():  # a later assessment replaces an earlier one
        case = outcome(assessment, **dict((key, items.get(assessment["remedy"])) for key, items in index.items()))
        if mode == "assess":
            case.update(state=assessment["state"], reason=assessment["reason"])
        stuck = index["lift"].get(case["remedy"], {}).get("state") in ("refused", "failed")
        done = not assessment["evidence"].get("mitigation") if mode == "lift" else case["state"] in GOALS[mode]
        case["met"] = done and not stuck
        found.append(case)
    return found


def host_verdict(cases):
    """One word for a host: failed before unknown before proven."""
    if any(not c["met"] and c["state"] != "unknown" for c in cases):
        return "failed"
    return "unknown" if any(not c["met"] for c in cases) else "proven"
