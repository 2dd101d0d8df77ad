# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The facts a decision asks for, each gathered once and only when asked for."""

from ansible_collections.stopgap.remediation.plugins.module_utils import (
    needrestart,
    packages,
    patches,
    probes,
    processes,
    system,
)
from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import HOLDING, Holds
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal, in_force
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import secrets_of
from ansible_collections.stopgap.remediation.plugins.module_utils.secrecy import hide


class HostFacts:
    """What `decide.assess` and `fixing.plan` ask of a host. `unreadable` says why there is nothing to decide on."""

    def __init__(self, remedies):
        self.system = system.describe()
        self.distro = self.system["distro"]
        self.names = sorted({name for remedy in remedies for name in names_of(remedy)})
        self.installed, self.entries = {}, []
        self.compare = self.family = self.kernel = self.unreadable = None
        self.own_kernel = system.own_kernel()
        try:
            self.family = packages.family(self.distro)
            self.compare = self.family.facts.compare
            self.kernel = self.family.facts.running_kernel()
            self.refresh()
            self.entries = [entry for entry in Journal().entries() if in_force(entry)]
        except StopgapError as error:
            self.unreadable = str(error)

    def refresh(self):
        self.installed = self.family.facts.installed(self.names)

    def old_code(self, names):
        return processes.old_code(names)

    def waits_for_boot(self, remedy):
        return patches.waits_for_boot(remedy)

    def second_opinion(self, names, old_code):
        """Both answers where needrestart is installed and sees something else than we do."""
        return needrestart.second_opinion(names, old_code)

    def when(self, conditions):
        return [probes.evaluate(condition) for condition in conditions]

    def moved_by_us(self, remedy):
        """The packages that a mitigation of this remedy removed, holds, or set to another version."""
        return {
            action["params"]["name"]
            for entry in self.entries
            if entry["remedy"] == remedy
            for action in entry["actions"]
            if action["type"] == "package" and action["state"] in HOLDING and action["changed"]
        }

    def mitigations(self, remedy):
        """The journal's entries in force for a remedy, and whether the host is still as they left it."""
        holds = Holds(Journal(), self.entries)
        return [effect_of(entry, holds) for entry in self.entries if entry["remedy"] == remedy]


def effect_of(entry, holds):
    in_force, reason = in_effect(entry["actions"], holds)
    reason = hide(reason, secrets_of(entry))
    return {
        "id": entry["mitigation"],
        "entry": entry["entry"],
        "state": entry["state"],
        "in_force": in_force,
        "reason": reason,
    }


def in_effect(journaled, holds):
    """(True, False or None for unknown, reason) for the actions of an entry: is each as it was written?

    Or as a later mitigation wrote over it. That one holds as well; whether its value serves both, the checks say.
    """
    notes = []
    for item in journaled:
        if item["state"] != "applied":
            return False, f"{item.get('resource') or item['type']} is {item['state']}"
        try:
            action = holds.make(item)
            current = action.read()
        except (StopgapError, OSError) as error:
            return None, str(error)
        wrong, theirs = differing(current, item["written"]), holds.overruled(item)
        if [key for key in wrong if key not in theirs or current.get(key) != theirs[key][0]]:
            return False, f"{item['resource']} is now: {action.show(current)}"
        others = sorted({theirs[key][1] for key in wrong})
        notes += [f"{item['resource']} is as {', '.join(others)} sets it since"] if others else []
    return True, "; ".join(notes)


def names_of(remedy):
    return {package["name"] for package in remedy["affected"]["packages"]} | set(remedy["fix"]["packages"])
