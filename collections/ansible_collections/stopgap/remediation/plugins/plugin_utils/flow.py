# SPDX-License-Identifier: Apache-2.0
"""What the role does next, decided from what a host said (said.py). Pure: data in, data out, no Ansible."""

from ansible_collections.stopgap.remediation.plugins.plugin_utils.said import by_remedy

AFFECTED = ("exposed", "mitigated", "patched")
# mode -> the states that prove what the mode is for
GOALS = {
    "assess": ("not_affected", "exposed", "mitigated", "patched", "fixed"),
    "mitigate": ("not_affected", "mitigated", "fixed"),
    "fix": ("not_affected", "fixed"),
    "remediate": ("not_affected", "mitigated", "fixed"),
    "verify": ("not_affected", "mitigated", "fixed"),
    "recheck": ("not_affected", "mitigated", "fixed"),
    "lift": ("not_affected", "fixed"),
}
PHASES = ("apply", "revert")
# Checks that fail where a good fix is not in effect yet: nothing to take it back for.
NOT_YET = ("package", "processes", "kernel", "file", "archive_member")
NOT_LIFTED = "; not lifted, since its fix is not proven: fix it first, or overrule that (--force, stopgap_force)"
OWED = "still owed: "  # an obligation's check
ROLL_BACK = "stopgap fix %s -l THIS_HOST --rollback auto"


def wants_fix(remedies, said):
    """Remedies whose fix is still owed, or on disk and not proven, or left half-way, perhaps by us."""
    states = by_remedy(said["assess"])
    owed = [name for name, one in states.items() if one["state"] in AFFECTED or one["code"] == "broken_package"]
    return [r for r in remedies if r["id"] in owed]


def wants_mitigation(remedies, said):
    """Remedies that stay exposed: affected, and no fix came in this run."""
    states, patched = by_remedy(said["assess"]), by_remedy(said["patch"])
    return [
        r
        for r in remedies
        if r["id"] in states
        and states[r["id"]]["state"] in ("exposed", "mitigated")
        and patched.get(r["id"], {}).get("state") != "would_install"
    ]


def wants_lifting(remedies, said, mode, force=False):
    """Remedies whose mitigation may go (P2): the fix is proven in this run, or an operator overrules that.

    Only a lift that was asked for by name can be forced; a fix run never lifts on an operator's word.
    """
    states, verdicts = by_remedy(said["assess"]), by_remedy(said["verification"])
    held = [r for r in remedies if r["id"] in states and states[r["id"]]["mitigation"]]
    if force and mode == "lift":
        return held
    return [r for r in held if r["id"] in verdicts and is_fixed(states[r["id"]], verdicts[r["id"]])]


def is_fixed(assessment, verification):
    """P4: the checks passed, and the host itself sees neither old code nor an old kernel nor anything else against it."""
    passed = verification["phase"] == "fix" and verification["verdict"] == "pass"
    return passed and assessment["code"] == "awaiting_proof"


def wants_reboot(remedies, said):
    """Remedies whose fix is on disk and needs a boot to be in effect, as the remedy and the host say."""
    patched, states = by_remedy(said["patch"]), by_remedy(said["assess"])
    return [
        r for r in remedies if r["id"] in patched and boots(r["fix"]["reboot"], patched[r["id"]], states.get(r["id"]))
    ]


def boots(wanted, patch, assessment):
    if patch["state"] not in ("installed", "already") or wanted == "never":
        return False
    if wanted == "always" and patch["state"] == "installed":
        return True
    return patch["reboot_required"] or bool(assessment and assessment["code"] == "reboot_due")


def why_bad(patch, verification):
    """Why a fix that was installed does harm, or an empty string. Not in effect yet is not bad."""
    if not patch or patch["way_back"] is None:
        return ""
    if patch["state"] == "failed" or patch["code"] == "step_failed":
        return patch["reason"]
    if not verification or verification["phase"] != "fix":
        return ""
    failing = [check for check in verification.get("checks") or [] if check["verdict"] == "fail"]
    bad = [check for check in failing if check["type"] not in NOT_YET and not check["reason"].startswith(OWED)]
    return bad[0]["reason"] if bad else ""


def wants_rollback(remedies, said, choice):
    """Remedies whose fix turned out bad in this run and can be taken back, where the site wants that."""
    patched, verdicts = by_remedy(said["patch"]), fix_verdicts(said)
    return [
        r
        for r in remedies
        if choice == "auto"
        and why_bad(patched.get(r["id"]), verdicts.get(r["id"]))
        and patched[r["id"]]["way_back"]["possible"]
    ]


def fix_verdicts(said):
    return by_remedy([one for one in said["verification"] if one["phase"] == "fix"])


def may_go_back(remedies, said):
    """Those of them whose mitigation is in force again, or that have none: a host is not made naked by a mitigation that failed."""
    sheltered = by_remedy(said["mitigation"])
    return [r for r in remedies if sheltered.get(r["id"], {}).get("state") in ("applied", "none")]


def returned(said):
    """Ids of the remedies whose fix was taken back."""
    return [remedy for remedy, result in by_remedy(said["rollback"]).items() if result["state"] == "rolled_back"]


def returned_targets(said):
    """After a roll-back, the mitigation is what protects: it is proven."""
    gone = returned(said)
    return [target for target in verify_targets(said) if target["remedy"] in gone]


def verify_target(assessment, mitigation):
    """What to prove for one remedy on one host, or None where there is nothing to prove."""
    remedy = assessment["remedy"]
    if assessment["state"] == "patched":
        return fix_target(remedy, assessment["mitigation"])
    applied = mitigation and mitigation["state"] == "applied"
    chosen = mitigation["mitigation"] if applied else assessment["mitigation"]
    if assessment["state"] in AFFECTED and chosen:
        return {"remedy": remedy, "phase": "mitigation", "mitigation": chosen}
    return None


def fix_target(remedy, held=None):
    """`held` is the mitigation in force, which may answer some of the fix's checks by itself."""
    target = {"remedy": remedy, "phase": "fix", "mitigation": None}
    return dict(target, held=held) if held else target


def verify_targets(said):
    mitigations = by_remedy(said["mitigation"])
    latest = by_remedy(said["assess"]).values()
    found = [verify_target(assessment, mitigations.get(assessment["remedy"])) for assessment in latest]
    return [target for target in found if target]


def lifted_targets(said):
    """After lifting, the fix is proven once more (P2)."""
    return [fix_target(remedy) for remedy, lifted in by_remedy(said["lift"]).items() if lifted["state"] == "lifted"]


def task_files(remedies, results):
    """The task files a host's pending actions stand for, read from the remedies: a host names an action, never a file.

    A pending action that the remedy does not have gives nothing; it stays pending, and the outcome says so.
    """
    found = []
    known = {(r["id"], m["id"]): m["actions"] for r in remedies for m in r["mitigations"]}
    for result in results:
        actions = known.get((result["remedy"], result["mitigation"]), [])
        for task in result["pending_tasks"]:
            number, phase = task.get("action"), task.get("phase")
            in_range = isinstance(number, int) and 0 <= number < len(actions)
            if in_range and actions[number]["type"] == "tasks" and phase in PHASES:
                found.append(task_file(result, actions[number]["params"], number, phase))
    return found


def task_file(result, params, number, phase):
    told = {"remedy": result["remedy"], "entry": result["entry"], "action": int(number), "phase": str(phase)}
    check = params.get("check") if phase == "apply" else None
    return dict(told, file=params[phase], check=check, vars=params.get("vars") or {})


def outcome(assessment, mitigation=None, patch=None, verification=None, lift=None, rollback=None, bad=""):
    """Where one case stands at the end of a run, as ``{"remedy", "state", "reason", "waiting_for"}``.

    A state is only ever raised by a verification of this run: unknown is never fixed and never mitigated (P4).
    """
    state, reason, waiting = assessment["state"], assessment["reason"], None
    back = bool(rollback) and rollback["state"] == "rolled_back"
    if back and verification and verification["phase"] == "fix":
        verification = None  # it was of the fix that is gone
    if verification:
        state, reason = proven_state(assessment, mitigation, verification)
    elif mitigation and mitigation["state"] in ("failed", "refused", "none", "pending_tasks"):
        reason = mitigation["reason"]
    elif state == "mitigated":
        state, reason = "unknown", "not verified in this run"
    if patch and (patch["state"] in ("refused", "failed") or patch["code"] == "step_failed"):
        waiting = patch["reason"]
    if bad:
        waiting = "a fix that works: " + bad
    if back:
        reason = "%s; %s" % (rollback["reason"], reason)
    elif rollback:
        waiting = "%s; not rolled back: %s" % (waiting, rollback["reason"])
    if lift and lift["state"] in ("refused", "failed"):
        waiting = "mitigation still in force: " + lift["reason"]
    return {"remedy": assessment["remedy"], "state": state, "reason": reason, "waiting_for": waiting}


def proven_state(assessment, mitigation, verification):
    """The state after a verification, with its reason."""
    verdict, phase, reason = (verification[key] for key in ("verdict", "phase", "reason"))
    if verdict == "unknown":
        return "unknown", reason
    if verdict == "fail":
        return ("patched" if assessment["state"] == "patched" else "exposed"), reason
    if phase == "fix":
        return ("fixed", reason) if is_fixed(assessment, verification) else as_assessed(assessment)
    applied_now = mitigation and mitigation["state"] == "applied"
    if applied_now or assessment["code"] == "mitigation_in_force":
        return "mitigated", reason
    if assessment["code"] == "mitigation_lost":
        return "unknown", "the checks pass, yet the host says: %s" % assessment["reason"]
    return as_assessed(assessment)


def as_assessed(assessment):
    return assessment["state"], assessment["reason"]


def outcomes(said, mode, rollback="never"):
    """All cases of one host; *mode* as in GOALS, *rollback* what the site wants of a bad fix."""
    index = {key: by_remedy(said[key]) for key in ("mitigation", "patch", "verification", "lift", "rollback")}
    found = []
    for remedy, assessment in by_remedy(said["assess"]).items():
        bad = told_bad(remedy, said, rollback)
        case = outcome(assessment, bad=bad, **{key: items.get(remedy) for key, items in index.items()})
        if mode == "assess":
            case["state"], case["reason"] = as_assessed(assessment)
        case["reason"] += told_extension(case, index["verification"].get(remedy))
        if mode == "lift" and assessment["mitigation"] and remedy not in index["lift"]:
            case["reason"] += NOT_LIFTED
        case["met"] = is_met(case, assessment, said, mode, index["lift"].get(remedy))
        found.append(case)
    return found


def told_extension(case, verification):
    """What became of a wish for more time (extension.py); empty where there was none."""
    if not verification or "extension" not in verification:
        return ""
    if case["state"] == "mitigated" and verification["extension"]:
        return "; lasts at least %s" % verification["extension"]  # it may have had more: no extension shortens
    return "; not extended"


def told_bad(remedy, said, choice):
    """Why the fix is bad, and what can be done about it; empty for a fix that is not."""
    patch = by_remedy(said["patch"]).get(remedy)
    bad = why_bad(patch, fix_verdicts(said).get(remedy))
    if not bad or choice == "never":
        return ""
    if not patch["way_back"]["possible"]:
        return "%s; it cannot be rolled back: %s" % (bad, patch["way_back"]["reason"])
    if choice == "ask":
        return "%s; to roll it back: %s" % (bad, ROLL_BACK % remedy)
    sheltered = by_remedy(said["mitigation"]).get(remedy)
    if sheltered and sheltered["state"] not in ("applied", "none"):
        return "%s; not rolled back, since its mitigation is not in force: %s" % (bad, sheltered["reason"])
    return bad


def is_met(case, assessment, said, mode, lift):
    patch = by_remedy(said["patch"]).get(case["remedy"])
    if case["remedy"] in returned(said) or (patch and patch["code"] == "step_failed"):
        return False  # whatever protects the host now, the roll-out stops here
    if lift and lift["state"] in ("refused", "failed"):
        return False
    if mode != "lift" or (lift and was_proven(case["remedy"], said)):
        return case["state"] in GOALS[mode]
    return (
        assessment["state"] != "unknown" and not assessment["mitigation"]
    )  # lifted on an operator's word, or nothing was held


def was_proven(remedy, said):
    """The fix was proven before the lifting: then it has to be proven after it as well."""
    return any(v["remedy"] == remedy and v["phase"] == "fix" and v["verdict"] == "pass" for v in said["verification"])


def host_verdict(cases):
    """One word for a host: failed before unknown before proven."""
    if any(not c["met"] and c["state"] != "unknown" for c in cases):
        return "failed"
    return "unknown" if any(not c["met"] for c in cases) else "proven"
