# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Taking a fix back: the versions from before it, exactly, and the services on them."""

from ansible_collections.stopgap.remediation.plugins.module_utils import patches, steps
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError


def way_back(family, moves):
    """{"possible", "from", "packages", "reason"}: can the versions from before these moves be had again?"""
    old = [move for move in moves if move["before"]]
    packages = [
        {"name": move["name"], "arch": move["arch"], "version": move["before"], "from": family.past.where(move)}
        for move in old
    ]
    missing = [f"{one['name']} {one['version']}" for one in packages if one["from"] is None]
    if missing:
        reason = f"neither a repository nor the cache has {', '.join(missing[:5])}"
    else:
        reason = "the old versions can be had again" if packages else "nothing was there before"
    sources = sorted({one["from"] for one in packages if one["from"]})
    possible = bool(packages) and not missing
    return {"possible": possible, "from": ", ".join(sources) or None, "packages": packages, "reason": reason}


def roll_back(remedy, facts, lock_timeout, check=False):
    """A result of the module `rollback` (contracts, section 3)."""
    result = {"remedy": remedy["id"], "revision": remedy["revision"], "changed": False, "packages": [], "restarted": []}
    try:
        state, code, reason = attempt(remedy, facts, lock_timeout, check, result)
    except InstallError as error:
        state, code, reason = ("refused" if error.clean else "failed"), error.code, error.reason
    except (StopgapError, OSError) as error:
        state, code, reason = "failed", "tool_failed", str(error)
    return dict(result, state=state, code=code, reason=reason)


def attempt(remedy, facts, lock_timeout, check, result):
    if facts.unreadable:
        return "refused", "no_package_manager", facts.unreadable
    record = patches.latest(remedy["id"])
    if record is None:
        return "none", "no_record", "no fix was installed by us within a day: nothing to roll back"
    moves = [move for move in record["packages"] if move["before"]]
    foreign, owed = compared(moves, facts.family)
    if foreign:
        return "refused", "changed_since", f"{foreign}, which is neither the version before the fix nor the fix"
    result["packages"] = [
        {"name": m["name"], "arch": m["arch"], "before": m["after"], "after": m["before"]} for m in owed
    ]
    told = ", ".join(f"{move['name']} {move['before']}" for move in owed or moves)
    back = way_back(facts.family, owed)
    if owed and not back["possible"]:
        return "refused", "no_old_version", back["reason"]
    if check:
        result["changed"] = bool(owed)
        return "would_roll_back", "would_roll_back", f"would put back {told}"
    patches.write(record, state="rolling_back")
    if owed:
        facts.family.past.put_back(owed, lock_timeout)
        result["changed"] = True
    foreign, owed = compared(moves, facts.family)
    if foreign or owed:
        return "failed", "still_new", f"{foreign or owed[0]['name'] + ' is still the new version'}"
    told += patches.close(record, state="rolled_back")
    return restarted(remedy, result, f"rolled back to {told}")


def compared(moves, family):
    """(a package that is at a third version, or an empty string; the moves that are still to be taken back)."""
    installed = family.facts.installed(sorted({move["name"] for move in moves}))
    owed = []
    for move in moves:
        found = [fact for fact in installed[move["name"]] if fact["arch"] == move["arch"]]
        version = found[0]["version"] if found else None
        if version not in (move["before"], move["after"]):
            return f"{move['name']} is {version or 'not installed'}", []
        if version == move["after"] or found[0]["broken"]:
            owed.append(move)
    return "", owed


def restarted(remedy, result, told):
    try:
        done = steps.run_steps(remedy["fix"]["then"])
    except StopgapError as error:
        return "rolled_back", "step_failed", f"{told}, but what should follow failed: {error}"
    result["restarted"] = done["restarted"]
    result["changed"] = result["changed"] or bool(done["restarted"])
    return "rolled_back", "rolled_back", told
