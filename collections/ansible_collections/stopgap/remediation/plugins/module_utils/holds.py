# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Who holds what. A resource's holders are a stack, in the order in which they took it (P7).

Each holder's prior is what it found. The top one's value is on the host; the bottom one's prior is what was there
before them all. Lifting the top restores its prior, lifting a lower one hands its prior to the next one up.
"""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import make
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import in_force

HOLDING = ("applying", "applied", "reverting")


class Holds(object):
    """The holders over all entries of a journal, and what changes them."""

    def __init__(self, journal, entries):
        self.journal, self.entries = journal, entries

    def stack(self, resource):
        """[(entry, action)] of every holder, lowest first."""
        held = [
            (entry, action)
            for entry in self.entries
            if in_force(entry)
            for action in entry["actions"]
            if action["state"] in HOLDING and action["resource"] == resource
        ]
        return sorted(held, key=lambda pair: pair[1]["order"])

    def above(self, action):
        """The next holder up, as (entry, action), or None for the top one."""
        higher = [pair for pair in self.stack(action["resource"]) if pair[1]["order"] > action["order"]]
        return higher[0] if higher else None

    def capture(self, entry, action):
        """Fill a free action with what it finds, puts and holds. On top of holders that were lost, they come first."""
        act = make(action)
        self.reinstate(act.resource)
        prior = act.capture(Keeper(self, entry))
        written = act.desired(prior)
        # the order is a number, not a time: clocks jump
        order = 1 + max([other.get("order", 0) for known in self.entries for other in known["actions"]] or [0])
        action.update(
            state="pending",
            resource=act.resource,
            order=order + entry["actions"].index(action),
            prior=prior,
            written=written,
            restored=False,
            changed=act.on_controller or bool(differing(prior, written)),
        )

    def hand_up(self, action):
        """Give the action's prior to the next holder. Doing it twice is doing it once."""
        entry, higher = self.above(action)
        ours = {
            key: value
            for key, value in action["prior"].items()
            if key in action["written"] or key not in higher["written"]
        }
        higher["prior"].update(ours)
        higher["written"] = dict(action["written"], **higher["written"])
        higher["changed"] = higher["changed"] or action["changed"]
        self.journal.write(entry)

    def lost(self, resource):
        """The aspects in which the host is not as its holders left it. Half-done changes are not lost."""
        stack = self.stack(resource)
        if any(action["state"] != "applied" for _entry, action in stack):
            return []
        return differing(make(stack[-1][1]).read(), expected(stack)) if stack else []

    def reinstate(self, resource):
        """Put all holders of a resource that somebody changed in force again; their change becomes the prior."""
        if not self.lost(resource):
            return
        stack, seen = self.stack(resource), set()
        wanted = expected(stack)
        for entry, action in stack:
            act = make(action)
            first = {key: wanted[key] for key in action["written"] if key not in seen}
            seen.update(first)
            if not first:
                continue
            theirs = act.capture(Keeper(self, entry))
            action["prior"] = act.merge(action["prior"], first, theirs)
            action["changed"] = action["changed"] or bool(differing(action["prior"], action["written"]))
            self.journal.write(entry)
        if not self.journal.read_only:
            for _entry, action in stack:
                put(make(action), action)

    def full(self, state):
        """A state as actions take it: with the saved file's whole path."""
        return dict(state, saved=self.journal.path_of(state["saved"])) if state.get("saved") else state


class Keeper(object):
    """What an action may ask for while it captures a state."""

    def __init__(self, holds, entry):
        self.holds, self.entry = holds, entry

    def save(self, path):
        return self.holds.journal.save(self.entry, path)

    def folders_to_remove(self, path):
        """Parents that were not there before the first of us: each holder removes those that it leaves empty."""
        made = {
            folder
            for entry in self.holds.entries
            if in_force(entry)
            for action in entry["actions"]
            if action["state"] in HOLDING
            for folder in action["prior"].get("folders", [])
        }
        return [parent for parent in parents_of(path) if parent in made or not os.path.isdir(parent)]


def parents_of(path):
    folder = os.path.dirname(path)
    return [] if folder == path else parents_of(folder) + [folder]


def expected(stack):
    """What the host shows while all of them hold: a higher one's word counts for the aspects it decides."""
    wanted = {}
    for _entry, action in stack:
        wanted.update(action["written"])
    return wanted


def foreign(action, current):
    """The aspects that are neither as written nor as found: somebody else's. A half-done change has none."""
    return [key for key in differing(current, action["written"]) if current.get(key) != action["prior"].get(key)]


def put(act, action):
    """Apply, and read back: a change that did not take is a failure."""
    act.apply(action["prior"])
    prove(act, action["written"])


def put_back(act, action, prior):
    act.revert(prior, action["written"])
    gone = [key for key, value in act.read().items() if value is None]  # removed with its package, say
    prove(act, {key: prior[key] for key in action["written"] if key not in gone})


def prove(act, wanted):
    current = act.read()
    left = ["%s is %s, not %s" % (key, current.get(key), wanted[key]) for key in differing(current, wanted)]
    if left:
        raise ActionError("%s did not take: %s" % (act.resource, ", ".join(left)))
