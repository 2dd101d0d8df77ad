# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a host's facts mean for a remedy. Pure: every answer is (code, reason), and unknown is an answer.

The order, as docs/reference/verdicts.md tells it: the packages on disk; if fixed there, what still runs; if not,
the mitigation in force; if none, whether the remedy's conditions hold here.
"""

import collections
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.streams import meets, really

Answer = collections.namedtuple("Answer", "code reason")
Verdict = collections.namedtuple("Verdict", "code reason name required")

STATES = {
    "below_fixed": "exposed",
    "mitigation_lost": "exposed",
    "mitigation_withdrawn": "exposed",
    "mitigation_in_force": "mitigated",
    "awaiting_proof": "patched",
    "old_code": "patched",
    "reboot_due": "patched",
    "distro_unknown": "unknown",
    "broken_package": "unknown",
    "probe_unknown": "unknown",
    "detectors_disagree": "unknown",
    "not_installed": "not_affected",
    "not_in_release": "not_affected",
    "before_introduced": "not_affected",
    "conditions_absent": "not_affected",
}
# Several packages, several architectures: each is judged, the first of these decides.
WORST_FIRST = (
    "below_fixed",
    "broken_package",
    "distro_unknown",
    "fixed_on_disk",
    "before_introduced",
    "not_in_release",
    "not_installed",
)
MITIGATION_ORDER = ("mitigation_in_force", "mitigation_lost", "below_fixed", "probe_unknown", "mitigation_withdrawn")
KERNELS = re.compile(r"(?:linux-image|kernel)(?:-|$)")


def assess(remedy, facts):
    """An assessment (contracts, section 3). `facts` answers what is asked, and only that is gathered: see facts.py."""
    evidence = {"packages": [], "when": [], "old_code": [], "mitigation": None}
    answer = judge(remedy, facts, evidence)
    return {
        "remedy": remedy["id"],
        "revision": remedy["revision"],
        "state": STATES[answer.code],
        "code": answer.code,
        "reason": answer.reason,
        "evidence": evidence,
    }


def judge(remedy, facts, evidence):
    if facts.unreadable:
        return Answer("probe_unknown", facts.unreadable)
    affected = remedy["affected"]["packages"]
    evidence["packages"] = [
        package_evidence(fact, package, facts.distro)
        for package in affected
        for fact in facts.installed.get(package["name"], [])
    ]
    mitigation = mitigation_answer(remedy, facts.mitigations(remedy["id"]), evidence)
    verdict = on_disk(affected, facts.distro, facts.installed, facts.compare)
    if verdict.code == "fixed_on_disk":
        return in_effect(remedy, facts, evidence)
    if verdict.code == "not_installed" and facts.own_kernel and names_a_kernel(affected, facts.distro):
        told = (
            f"this host has a kernel of its own, {facts.own_kernel}, which no package that the remedy names has brought"
        )
        return Answer("probe_unknown", f"{verdict.reason}, but {told}")
    if verdict.code != "below_fixed" and not is_sheltered(verdict, remedy, facts):
        return Answer(verdict.code, verdict.reason)
    return mitigation or exposure(verdict, remedy["affected"]["when"], facts, evidence)


def is_sheltered(verdict, remedy, facts):
    """Gone, or older than the bug, because a mitigation of ours made it so: lifting it brings the bug back."""
    return verdict.code in ("not_installed", "before_introduced") and verdict.name in facts.moved_by_us(remedy["id"])


def names_a_kernel(packages, distro):
    """One that this release has fixes of: other builds of its source (real-time, 32 bits, a vendor's) have the bug too."""
    return any(
        KERNELS.match(package["name"]) and package["fixed_in"].get(distro, "not_affected") != "not_affected"
        for package in packages
    )


def package_evidence(fact, package, distro):
    required = package["fixed_in"].get(distro) or []
    return {
        "name": fact["name"],
        "arch": fact["arch"],
        "version": fact["version"],
        "source_version": fact["source_version"],
        "required": required if isinstance(required, list) else [],
    }


# --- packages on disk


def on_disk(packages, distro, installed, compare):
    """The worst verdict over a remedy's packages. A remedy without packages leaves the decision to its conditions."""
    verdicts = judge_packages(packages, distro, installed, compare)
    return min(verdicts, key=lambda verdict: WORST_FIRST.index(verdict.code))


def judge_packages(packages, distro, installed, compare):
    if not packages:
        return [Verdict("below_fixed", "the remedy names no package: its conditions decide", None, None)]
    named = [package for package in packages if distro in package["fixed_in"]]
    # A package of another distribution's name says nothing here, unless it is here all the same.
    concerned = [package for package in packages if package in named or installed.get(package["name"])]
    return [
        verdict
        for package in concerned or packages
        for verdict in judge_package(package, distro, installed.get(package["name"], []), compare)
    ]


def judge_package(package, distro, facts, compare):
    """One verdict for each installed architecture; one for a package that is not here."""
    name, fixes = package["name"], package["fixed_in"].get(distro)
    if fixes is None:
        return [Verdict("distro_unknown", f"the remedy names no fixed version of {name} for {distro}", name, None)]
    if not facts:
        return [Verdict("not_installed", f"{name} is not installed", name, None)]
    if fixes == "not_affected":
        return [Verdict("not_in_release", f"{name} of {distro} is not affected", name, None)]
    several = len({fact["arch"] for fact in facts}) > 1
    return [judge_version(name, fact, several, package["introduced"], fixes, compare) for fact in current(facts)]


def current(facts):
    """Without the older versions of what is kept side by side: a kernel is as new as its newest."""
    return [fact for fact in facts if not fact.get("superseded")]


def judge_version(name, fact, several, introduced, fixes, compare):
    """`several` architectures of it are here: then the reason says which one it is about."""
    version, told = fact["source_version"], f"{name}:{fact['arch']}" if several else name
    # what is half installed may have another version's files already
    if introduced and compare(version, introduced) < 0 and fact["broken"] != "half-installed":
        return Verdict("before_introduced", f"{told} {version} is older than the bug ({introduced})", name, None)
    fixed, required = meets(version, fixes, compare)
    if fact["broken"]:
        reason = f"{told} {version} is {fact['broken']}, which the package manager has to mend first"
        return Verdict("broken_package", reason, name, required)
    if fixed:
        return Verdict("fixed_on_disk", f"{told} {version} >= {required}", name, required)
    return Verdict("below_fixed", f"{told} {version} < {required}{what_it_is(version)}", name, required)


def what_it_is(version):
    return f" (it carries the code of {really(version)})" if "+really" in version else ""


# --- fixed on disk: in effect?


def in_effect(remedy, facts, evidence):
    fixed = fixed_on_disk(remedy["affected"]["packages"], facts)
    due = reboot_due(fixed, facts.kernel, facts.compare)
    try:
        if not due and remedy["fix"]["reboot"] == "always" and facts.waits_for_boot(remedy["id"]):
            due = f"{fixed[0].reason}, but it takes effect at the next boot: reboot"
    except OSError as error:
        return Answer("probe_unknown", f"{fixed[0].reason}, but whether it was booted since is not known: {error}")
    if due:
        return Answer("reboot_due", due)
    names = sorted({verdict.name for verdict in fixed})
    try:
        evidence["old_code"] = facts.old_code(names)
    except OSError as error:
        return Answer("probe_unknown", f"{fixed[0].reason}, but what runs is not known: {error}")
    doubt = facts.second_opinion(names, evidence["old_code"])
    if doubt:
        return Answer("detectors_disagree", f"{fixed[0].reason}, but {doubt}")
    running = still_running(evidence["old_code"])
    if running:
        sure = any(process["sure"] for process in evidence["old_code"])
        return Answer("old_code" if sure else "probe_unknown", f"{fixed[0].reason}, but {running}")
    return Answer("awaiting_proof", f"{fixed[0].reason} and no process on the old code")


def fixed_on_disk(packages, facts):
    return [
        verdict
        for verdict in judge_packages(packages, facts.distro, facts.installed, facts.compare)
        if verdict.code == "fixed_on_disk"
    ]


def reboot_due(fixed, running, compare):
    """Why the running kernel is not the fixed one, or None."""
    for verdict in fixed:
        if not KERNELS.match(verdict.name):
            continue
        if running is None:
            return f"{verdict.reason}, but the version of the running kernel is not known"
        if compare(running, verdict.required) < 0:
            return f"{verdict.reason}, but {running} is running: reboot"
    return None


def still_running(old_code):
    """What runs the old code, or may; empty where nothing does."""
    sure = [process for process in old_code if process["sure"]]
    if sure:
        return f"{who(sure)} still run the old code"
    if old_code:
        return f"{who(old_code)} began before the fix came and may have read the old files: restart them to know"
    return ""


def who(old_code):
    """`nginx (67, 68), redis-server (57)`: enough to find them, short enough to read."""
    pids = {}
    for process in old_code:
        pids.setdefault(process["name"], set()).add(process["pid"])
    told = [
        f"{name} ({', '.join(str(pid) for pid in sorted(pids[name])[:3])}{', …' * (len(pids[name]) > 3)})"
        for name in sorted(pids)
    ]
    return ", ".join(told[:5]) + (f" and {len(told) - 5} more" if len(told) > 5 else "")


# --- not fixed: mitigated?


def mitigation_answer(remedy, entries, evidence):
    """What the journal's entries in force say; None where there are none that count."""
    valid = {
        mitigation["id"]: mitigation for mitigation in remedy["mitigations"] if mitigation["status"] != "withdrawn"
    }
    answers = [(entry, entry_answer(entry, valid)) for entry in entries]
    if not answers:
        return None
    entry, answer = min(answers, key=lambda pair: MITIGATION_ORDER.index(pair[1].code))
    evidence["mitigation"] = {key: entry[key] for key in ("id", "entry", "in_force")}
    return answer


def entry_answer(entry, valid):
    name = f"mitigation {entry['id']} ({entry['entry']})"
    if entry["in_force"] is None:
        return Answer("probe_unknown", f"{name} cannot be checked: {entry['reason']}")
    if not entry["in_force"]:
        if entry["state"] != "applied":
            # What it did so far may hide the conditions: exposed, until the next run finishes or undoes it.
            return Answer("below_fixed", f"{name} was cut short ({entry['state']}): mitigate or lift again")
        return Answer("mitigation_lost", f"{name} is no longer in effect: {entry['reason']}")
    if entry["id"] not in valid:
        return Answer("mitigation_withdrawn", f"{name} is in effect, but withdrawn or no longer named by the remedy")
    leaves = valid[entry["id"]].get("leaves")
    told = [f"{name} is in effect", entry["reason"], leaves and f"it leaves: {leaves}"]
    return Answer("mitigation_in_force", "; ".join(filter(None, told)))


# --- not mitigated: exposed?


def exposure(verdict, conditions, facts, evidence):
    """All conditions must hold for a host to be exposed; one that cannot be told leaves it unknown."""
    evidence["when"] = facts.when(conditions)
    for holds, code in ((False, "conditions_absent"), (None, "probe_unknown")):
        told = [probe for probe in evidence["when"] if probe["holds"] is holds]
        if told:
            return Answer(code, f"{verdict.reason}, but {told[0]['type']}: {told[0]['reason']}")
    return Answer("below_fixed", verdict.reason)
