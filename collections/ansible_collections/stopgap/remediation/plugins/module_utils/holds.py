# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Who holds what. A resource's holders are a stack, in the order in which they took it (P7).

Each holder's prior is what it found. The top one's value is on the host; the bottom one's prior is what was there
before them all. Lifting the top restores its prior, lifting a lower one hands its prior to the next one up.
"""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import make
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import in_force

HOLDING = ("applying", "applied", "reverting")
HOW = {"all": "decides all", "lines": "decides lines", "mode": "decides mode and owner"}


class Holds(object):
    """The holders over all entries of a journal, and what changes them."""

    def __init__(self, journal, entries):
        self.journal, self.entries = journal, entries

    def make(self, action):
        """The action, told of the others in force: those on lines of one file depend on each other."""
        act = make(action)
        act.meet(action, self.held(), self.journal.path_of)
        return act

    def held(self):
        """Every action in force, in the order in which they took hold; none that is only foretold."""
        held = [action for entry in self.entries if in_force(entry) and entry["history"] for action in entry["actions"]]
        return sorted((action for action in held if action["state"] in HOLDING), key=lambda action: action["order"])

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

    def overruled(self, action):
        """{aspect: (value, remedy)} of what higher holders decide differently from this one."""
        higher = [pair for pair in self.stack(action["resource"]) if pair[1]["order"] > action["order"]]
        decided = {key: (value, entry["remedy"]) for entry, one in higher for key, value in one["written"].items()}
        return {key: pair for key, pair in decided.items() if pair[0] != action["written"].get(key, pair[0])}

    def capture(self, entry, action):
        """Fill a free action with what it finds, puts and holds. On top of holders that were lost, they come first."""
        act = self.make(action)
        self._refuse_to_mix(entry, act)
        self.reinstate(act.resource)
        prior = act.capture(Keeper(self, entry))
        written = act.desired(prior)
        foretold = self.journal.foretold.get(act.resource, {})
        if not differing(foretold, written):
            prior.update(foretold)  # in check mode, what another would have done by then
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

    def _refuse_to_mix(self, entry, act):
        """A file of which one decides all has no room for another that decides a part of it."""
        ours = act.touches()
        for known in self.entries + [entry] if ours else []:
            for action in known["actions"] if in_force(known) else []:
                if known is not entry and action["state"] not in HOLDING:
                    continue
                other = make(action)
                shared = other.touches() if other.resource != act.resource else {}
                for path in sorted(path for path in shared if clash(shared[path], ours.get(path))):
                    raise ActionError(
                        "%s: %s %s of it, held by %s of %s (entry %s), and this %s: lift that one first, or "
                        "write both as one action"
                        % (
                            path,
                            other.type,
                            HOW[shared[path]],
                            known["mitigation"],
                            known["remedy"],
                            known["entry"],
                            HOW[ours[path]],
                        )
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
        current = {}
        for _entry, action in stack:  # each sees what it holds itself, though perhaps not all that others hold
            current.update(self.read(action))
        return differing(current, expected(stack))

    def reinstate(self, resource):
        """Put all holders of a resource that somebody changed in force again; their change becomes the prior."""
        if not self.lost(resource):
            return
        stack, seen = self.stack(resource), set()
        wanted = expected(stack)
        for entry, action in stack:
            act = self.make(action)
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
                put(self.make(action), action)

    def take_back(self, act, action):
        """Revert an action on the host, once what it leaves to others is on disk."""
        for other in act.leave_to_others():
            self.journal.write(next(entry for entry in self.entries if any(item is other for item in entry["actions"])))
        put_back(act, action, self.full(action["prior"]))

    def read(self, action):
        """The state now; in check mode, the one that what was foretold so far would have left."""
        return dict(self.make(action).read(), **self.journal.foretold.get(action["resource"], {}))

    def foretell_taken(self, actions):
        """In memory only: what is foretold next goes by it. A layer of a file changes nothing for others."""
        alone = [action for action in actions if not make(action).is_layer]
        for action in alone:
            action["state"] = "applied"
        for action in alone:
            self.journal.foretold[action["resource"]] = expected(self.stack(action["resource"]))

    def foretell_let_go(self, action):
        if action["state"] not in HOLDING or make(action).is_layer:
            return
        if self.above(action):
            self.hand_up(action)
        else:
            left = {key: action["prior"].get(key) for key in action["written"]}
            self.journal.foretold.setdefault(action["resource"], {}).update(left)
        action["state"] = "reverted"

    def full(self, state):
        """A state as actions take it: with the whole paths of saved files."""
        saved = {key: name for key, name in state.items() if key.partition(":")[0] == "saved" and name}
        return dict(state, **{key: self.journal.path_of(name) for key, name in saved.items()})


class Keeper(object):
    """What an action may ask for while it captures a state."""

    def __init__(self, holds, entry):
        self.holds, self.entry = holds, entry

    @property
    def read_only(self):
        """Check mode: nothing is kept, and nothing may be changed or fetched."""
        return self.holds.journal.read_only

    def save(self, path, data=None, sha256=None):
        """ActionError where it is not what was looked at: a user whose folder it lies in may swap it for root's own."""
        name = self.holds.journal.save(self.entry, path, data)
        if name and sha256 and durable.hash_file(self.holds.journal.path_of(name)) != sha256:
            raise ActionError("%s was changed while it was saved: nothing was done to it, run this again" % path)
        return name

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


def clash(theirs, ours):
    """Lines go beside lines, and beside a mode; all goes beside nothing."""
    return ours is not None and "all" in (theirs, ours)


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
    """The aspects that are neither as written nor as found nor half-way between: somebody else's."""
    prior, written = action["prior"], action["written"]
    theirs = [key for key in differing(current, written) if current.get(key) != prior.get(key)]
    act = make(action)
    spared = act.spared(prior, written, current)
    theirs = [key for key in theirs if key not in spared]
    if action["state"] == "applied":
        return theirs
    return [key for key in theirs if current.get(key) not in act.halfway(key, prior, written)]


def put(act, action):
    """Apply, and read back: a change that did not take is a failure."""
    act.apply(action["prior"])
    prove(act, action["written"])


def put_back(act, action, prior):
    act.revert(prior, action["written"])
    current = act.read()
    gone = [key for key, value in current.items() if value is None]  # removed with its package, say
    gone += act.spared(prior, action["written"], current)
    prove(act, {key: prior[key] for key in action["written"] if key not in gone})


def prove(act, wanted):
    current = act.read()
    left = ["%s is %s, not %s" % (key, current.get(key), wanted[key]) for key in differing(current, wanted)]
    if left:
        raise ActionError("%s did not take: %s" % (act.resource, ", ".join(left)))
