# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Put a mitigation in force, or lift it: the one place that knows in which order the journal and the host change.

Whatever the moment of a crash, the journal tells a second run enough to finish or to undo it:

    of an action   pending ──► applying ──► applied ──► reverting ──► reverted
    of an entry    intended ──────────────► applied ──► lifting ────► lifted      (or undone, where applying failed)
"""

import collections

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.holds import (
    HOLDING,
    Holds,
    Keeper,
    foreign,
    put,
)
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import now
from ansible_collections.stopgap.remediation.plugins.module_utils.steps import run_steps

Outcome = collections.namedtuple("Outcome", "state reason pending")
# what a change can meet on a host; anything else is a bug, and the journal still knows the way back
TROUBLE = (StopgapError, OSError)
HALF_DONE = ("applying", "reverting")
MEDDLED = (
    "a run was cut short, and somebody changed it since, so nothing was done: %s; put that back as it was, or lift "
    "with force, which keeps a copy, and mitigate again"
)


class Engine(object):
    """Works on the entries of a locked journal; a ReadOnlyJournal makes it predict.

    `done` are the [entry, number] of actions that the role has run on the controller; a third item, true, says that their
    `check` found them in force, so that nothing was done.
    """

    def __init__(self, journal, entries, done=(), steps=run_steps):
        self.journal, self.entries, self.steps = journal, entries, steps
        self.done = {tuple(item[:2]) for item in done}
        self.found = {tuple(item[:2]) for item in done if len(item) > 2 and item[2]}
        self.holds = Holds(journal, entries)
        self.touched = set()  # id(action) of each that changed the host in this run, or would
        self.followed = set()  # entries whose `then` was begun in this run
        self.handed_over = set()  # entries that somebody else answers for since this run
        self.notes = []

    # -- put in force

    def present(self, entry):
        todo, was_whole = [], is_whole(entry)
        try:
            theirs = self._foreign(action for action in entry["actions"] if action["state"] in HALF_DONE)
            if theirs:
                return Outcome("failed", MEDDLED % "; ".join(theirs), [])
            todo = self._prepare(entry)
            if not todo and entry["state"] == "applied":
                return Outcome("applied", "in force already", [])
            if self.journal.read_only:
                return self._would_apply(entry, todo)
            self._intend(entry)
            return self._apply_all(entry, todo)
        except TROUBLE as error:
            if entry["state"] != "intended" or self.journal.read_only:
                return Outcome("failed", "%s; nothing was changed" % error, [])
            return self._stay(entry, todo, error) if was_whole else self._undo(entry, error)

    def hand_over(self, entry, owner):
        """Somebody else answers for what is in force. Ledgers hear of it by a line of the history."""
        said = "%s answers for it from now on, before it was %s" % (owner, entry["owner"] or "nobody")
        handed = dict(entry, owner=owner)
        self.journal.record(handed, entry["state"], said)
        entry.update(handed)
        self.handed_over.add(entry["entry"])
        return said

    def _stay(self, entry, todo, error):
        """It was in force and lost in part. What was not lost stays: half a protection is more than none."""
        problems = self._take_all_back(todo)
        try:
            self.journal.write(entry)
        except TROUBLE as problem:
            problems.append(str(problem))
        told = "; ".join(["%s; what was lost of it stays lost, the rest stays in force" % error] + problems)
        return Outcome("failed", told, [])

    def _prepare(self, entry):
        """Capture what is not held yet; returns the actions still to be done."""
        for action in entry["actions"]:
            if action["state"] in HALF_DONE and self.holds.above(action):
                self.holds.hand_up(action)  # half done and no longer on top: let go, and take it anew
                action["state"] = "pending"
        for action in entry["actions"]:
            if action["state"] in ("pending", "reverted"):
                self.holds.capture(entry, action)
        return [
            action for action in entry["actions"] if action["state"] != "applied" or self.holds.lost(action["resource"])
        ]

    def _intend(self, entry):
        if entry["state"] == "intended":
            self.journal.write(entry)
            return
        self.journal.record(entry, "intended")
        if not any(known is entry for known in self.entries):
            self.entries.append(entry)

    def _apply_all(self, entry, todo):
        for action in todo:
            self._apply(entry, action)
        pending = [task(entry, action, "apply") for action in todo if action["state"] == "applying"]
        if pending:
            return Outcome("pending_tasks", "task files are to be run on the controller", pending)
        if any(action["changed"] for action in entry["actions"]):
            self._follow(entry)
        entry["expires_at"] = entry["expires_at"] or expiry(entry)
        self.journal.record(entry, "applied")
        return Outcome("applied", self._told("in force"), [])

    def _apply(self, entry, action):
        if action["state"] == "applied":  # and lost since
            self.touched.add(id(action))
            self.holds.reinstate(action["resource"])
            return
        asked = action["state"] == "applying"
        self._advance(entry, action, "applying")
        act = self.holds.make(action)
        if act.on_controller and not self._is_done(entry, action):
            if asked:  # and the run died since, who knows where
                self._begun(entry, action)
            return
        if act.on_controller and self._was_there(entry, action):
            action["changed"] = False
            self.touched.discard(id(action))
        if action["changed"]:
            self.touched.add(id(action))
            put(act, action)
            self.notes += filter(None, [act.warning()])
        self._advance(entry, action, "applied")

    def _undo(self, entry, error):
        """Take the entry back, newest action first. The journal knows the way already: a full disk is no hindrance."""
        problems = self._take_all_back(entry["actions"])
        if problems:
            return Outcome("failed", "%s; not all could be put back, so lift it: %s" % (error, "; ".join(problems)), [])
        try:
            if entry["entry"] in self.followed or any(item["state"] == "applied" for item in entry["history"]):
                self._follow(entry)
            self.journal.record(entry, "undone", str(error))
        except TROUBLE as problem:
            return Outcome("failed", "%s; all was put back, but then: %s; so lift it" % (error, problem), [])
        return Outcome("failed", "%s; everything was put back" % error, [])

    def _take_all_back(self, actions):
        """Returns what stood in the way."""
        problems = []
        try:
            self._make_way(actions)
        except TROUBLE as problem:
            problems.append(str(problem))
        for action in backwards(actions):
            try:
                self._take_back(action)
            except TROUBLE as problem:
                problems.append(str(problem))
        return problems

    def _take_back(self, action):
        if action["state"] not in HOLDING:
            return
        if self.holds.above(action):
            self.holds.hand_up(action)
        elif self.holds.make(action).on_controller:
            raise ActionError("%s has to be taken back by its task file" % action["resource"])
        elif action["state"] == "applied" and foreign(action, self.holds.make(action).read()):
            raise ActionError("%s was changed by somebody and is left as it is" % action["resource"])
        elif action["changed"]:
            self.holds.take_back(self.holds.make(action), action)
        action["state"] = "reverted"

    # -- lift

    def absent(self, entry, force=False, reason=None):
        try:
            theirs = [] if force else self._foreign(entry["actions"])
            if theirs:
                return Outcome("refused", "somebody changed it since, nothing was lifted: %s" % "; ".join(theirs), [])
            if self.journal.read_only:
                return self._would_lift(entry)
            if entry["state"] != "lifting":
                entry["expires_at"] = None
                self.journal.record(entry, "lifting", reason)
            return self._lift_all(entry, force)
        except TROUBLE as error:
            return Outcome("failed", "%s; lift it again when this is mended" % error, [])

    def _foreign(self, actions):
        """What somebody changed, over all of these actions before the first is touched."""
        found = []
        for action in filter(self._is_ours, actions):
            current = self.holds.read(action)
            found += [
                "%s: %s is %s, not %s" % (action["resource"], key, current.get(key), action["written"][key])
                for key in foreign(action, current)
            ]
        return found

    def _is_ours(self, action):
        """Ours to restore, and nobody's else."""
        return action["state"] in HOLDING and action["changed"] and not self.holds.above(action)

    def _lift_all(self, entry, force):
        pending, way_made = [], False
        for action in backwards(entry["actions"]):
            if not self.holds.make(action).on_controller:
                if pending:
                    break  # task files come last in a mitigation, so they are taken back before anything else
                if not way_made:
                    self._make_way(entry["actions"])
                    way_made = True
            if action["state"] in HOLDING and not self._revert(entry, action, force):
                pending.append(task(entry, action, "revert"))
        if pending:
            return Outcome("pending_tasks", "task files are to be run on the controller", pending)
        if any(action.get("restored") for action in entry["actions"]):
            self._follow(entry)
        self.journal.record(entry, "lifted")
        return Outcome("lifted", self._told("lifted"), [])

    def _make_way(self, actions):
        """A host that dies after this is half lifted, and lifting it again is the way on."""
        for action in filter(self._is_ours, actions):
            self.holds.make(action).make_way(action["prior"], action["written"])

    def _revert(self, entry, action, force):
        """False where the role has to run a task file first."""
        if self.holds.above(action):
            self.holds.hand_up(action)
            self._advance(entry, action, "reverted")
            return True
        act = self.holds.make(action)
        asked = action["state"] == "reverting"
        if force:
            self._keep_foreign(entry, action, act)
        action["restored"] = action["restored"] or action["changed"]
        self._advance(entry, action, "reverting")
        if act.on_controller:
            if action["changed"] and action["params"].get("revert") and not (asked and self._is_done(entry, action)):
                return False
        elif action["changed"]:
            self.touched.add(id(action))
            self.holds.take_back(act, action)
            self.notes += filter(None, [act.left_alone()])
        self._advance(entry, action, "reverted")
        return True

    def _keep_foreign(self, entry, action, act):
        """What `force` overwrites is saved too: nothing is changed before its prior state is on disk."""
        try:
            theirs = act.capture(Keeper(self.holds, entry))
        except ActionError:  # there is nothing left of it
            return
        if foreign(action, theirs):
            action["overwritten"] = theirs

    # -- both

    def _advance(self, entry, action, state):
        if action["state"] != state:
            action["state"] = state
            self.journal.write(entry)

    def _follow(self, entry):
        self.followed.add(entry["entry"])
        self.notes += self.steps(entry["then"])["left"]

    def _is_done(self, entry, action):
        if (entry["entry"], entry["actions"].index(action)) not in self.done:
            return False
        self.touched.add(id(action))
        return True

    def _begun(self, entry, action):
        action["begun"] = True
        self.journal.write(entry)

    def _was_there(self, entry, action):
        """In force before we came, so not ours to take back. What an earlier run may have done is ours."""
        return (entry["entry"], entry["actions"].index(action)) in self.found and not action.get("begun")

    def _would_apply(self, entry, todo):
        self.touched.update(id(action) for action in todo if action["changed"])
        if not any(known is entry for known in self.entries):
            self.entries.append(entry)
        self.holds.foretell_taken(todo)
        return Outcome("would_apply", "would apply", [])

    def _would_lift(self, entry):
        for action in backwards(entry["actions"]):
            if self._is_ours(action):
                self.touched.add(id(action))
            self.holds.foretell_let_go(action)
        return Outcome("would_lift", "would lift", [])

    def _told(self, text):
        return "; ".join([text] + self.notes)


def backwards(actions):
    """Newest first; but of the units the services last: one does not start while a socket it requires is masked."""
    order = list(reversed(actions))
    units = [action for action in order if (action.get("resource") or "").startswith("service:")]
    sorted_units = iter(sorted(units, key=lambda action: action["resource"].endswith(".service")))
    return [next(sorted_units) if action in units else action for action in order]


def is_whole(entry):
    """Whether all of it was in force when it was last left alone; to intend more changes nothing about that."""
    left = [item["state"] for item in entry["history"] if item["state"] != "intended"]
    return left[-1:] == ["applied"]


def task(entry, action, phase):
    return {
        "entry": entry["entry"],
        "action": entry["actions"].index(action),
        "phase": phase,
        "file": action["params"][phase],
        "vars": action["params"].get("vars") or {},
    }


def expiry(entry):
    return None if entry["ttl_seconds"] is None else now(seconds_ahead=entry["ttl_seconds"])
