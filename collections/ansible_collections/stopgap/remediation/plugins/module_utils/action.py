# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What an action is. A type is one file in actions/ with one subclass, and one line in actions/__init__.py.

An action's state is a flat, JSON-able dict of aspects ({"active": "active", "masked": False}). The engine journals
states, compares them aspect by aspect, and decides; the action only reads one and makes one so.
"""

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


class Action(object):
    """Subclasses set `type` and `required` and give the methods that raise here."""

    type = ""
    required = ()
    on_controller = False  # True: the role does the work (tasks); the host only journals it
    is_layer = False  # True: no other action ever holds the same resource

    def __init__(self, params):
        missing = [name for name in self.required if not isinstance(params, dict) or params.get(name) is None]
        if missing:
            raise ActionError("action %s lacks %s" % (self.type, ", ".join(missing)))
        self.params = params

    @property
    def resource(self):
        """What is held, named alike by every remedy that touches it."""
        raise NotImplementedError

    def touches(self):
        """{path: "all", "lines" or "mode"}: what of which files it decides. Who decides all shares with nobody."""
        return {}

    def meet(self, own, held, path_of):
        """Told before use: its item of the journal, all items in force in the order they were taken (its own too), and
        what makes a whole path of a saved file's name."""

    def read(self):
        """The state now."""
        raise NotImplementedError

    def capture(self, keeper):
        """The state now with all it takes to come back to it; `keeper` is an engine.Keeper."""
        return self.read()

    def desired(self, prior):
        """The aspects this action decides, as they shall be; all others are none of its business."""
        raise NotImplementedError

    def apply(self, prior):
        """Make the host as desired. May run twice, and over its own half-done work."""
        raise NotImplementedError

    def revert(self, prior, written):
        """Put back the aspects in `written` as they are in `prior`. May run twice.

        prior["saved"], and each prior["saved:WHAT"], is the full path of a saved file.
        """
        raise NotImplementedError

    def halfway(self, key, prior, written):
        """Values of an aspect, besides those of `prior` and `written`, that a change cut short can leave."""
        return ()

    def spared(self, prior, written, current):
        """Aspects that lifting leaves as they are, because somebody has replaced what we had changed by a newer one."""
        return ()

    def leave_to_others(self):
        """Called before `revert`: the items of others in force whose prior was changed, to be on disk first."""
        return []

    def merge(self, prior, written, current):
        """The prior to keep where somebody changed what we had written: their word for each aspect they changed."""
        return dict(prior, **{key: current[key] for key in differing(current, written)})

    def show(self, state):
        """One line for people."""
        return ", ".join("%s %s" % (key, state[key]) for key in sorted(state) if state[key] is not None)

    def text(self, state):
        """For --diff."""
        return self.show(state) + "\n"

    def secrets(self, prior):
        """Texts that nobody may be told, whoever cites them."""
        return []

    def warning(self):
        """What an operator should know though it worked, or an empty string."""
        return ""

    def make_way(self, prior, written):
        """Called for all actions before the first is reverted: what would keep another from going back. May be twice."""

    def left_alone(self):
        """After a revert: what it did not put back, and why, or an empty string."""
        return ""


def differing(current, wanted):
    return sorted(key for key in wanted if current.get(key) != wanted[key])
