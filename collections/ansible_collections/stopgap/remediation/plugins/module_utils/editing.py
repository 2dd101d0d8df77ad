# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What `line` and `ini_option` share: one edit of a file that is not ours, beside the edits of other remedies.

State: edit (what is said of it, or None where the file is gone); and, for going back: edits (the path), name, layer
(its number in the pile of layers.py), mode, base (the file before any of us: `saved`, and its hash and times under
`first`) and patches (of two saved files each).
"""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must, on_draft
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import EDITS, bytes_of, lines_of
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.layers import Layer, Pile
from ansible_collections.stopgap.remediation.plugins.module_utils.merging import DONE, TARGET, Conflict
from ansible_collections.stopgap.remediation.plugins.module_utils.secrecy import SHORTEST, is_closed, mode_below, shown

SAID_LIMIT = 300


class Edit(Action):
    """Subclasses give `type`, `required`, `name`, `done` (what is said of it once it is in) and `places`."""

    is_layer = True

    def __init__(self, params):
        super(Edit, self).__init__(params)
        if not os.path.isabs(params["path"]):
            raise ActionError("%s: %s is not an absolute path" % (self.type, params["path"]))
        self.path = os.path.realpath(self.file_of(params))
        self.own, self.held, self.path_of, self.taking_back, self.number = None, [], None, False, 1

    @staticmethod
    def file_of(params):
        return params["path"]

    @property
    def resource(self):
        """Equal edits of two remedies are two things, numbered: each is a layer of its own."""
        numbered = "" if self.number == 1 else " (%d)" % self.number
        return "%s:%s:%s%s" % (self.type, self.path, self.name, numbered)

    def touches(self):
        return {self.path: "lines"}

    def meet(self, own, held, path_of):
        self.path = (own.get("prior") or {}).get("edits", self.path)  # wherever a link there leads by now
        self.held = [item for item in held if item["prior"].get("edits") == self.path]
        self.held.sort(key=lambda item: (item["prior"]["layer"], item["order"]))
        self.own = own if any(item is own for item in self.held) else None
        self.path_of = path_of

    def edited(self, lines):
        return EDITS[self.type](lines, self.params)

    def read(self):
        if self._is_gone():
            return {"edit": None}
        now = lines_of(durable.read_bytes(self.path))
        if self.own is None:
            return {"edit": self.done if self.edited(now) == now else self._said(now)}
        pile, back = self._pile(now), self.taking_back or self.own["state"] == "reverting"
        if back and pile.is_out(DONE):
            return {"edit": self.own["prior"]["edit"]}
        if pile.is_in():
            return {"edit": self.done}
        if pile.is_out():
            return {"edit": self.own["prior"]["edit"]}
        return {"edit": "changed to " + self._said(now)}

    def capture(self, keeper):
        """Taken on top of the others, and taken anew where it was lost."""
        snapshot = self._snapshot()
        now = lines_of(durable.read_bytes(self.path))
        others = self._pile(now, but=self.own)
        needless = self.edited(now) == now and self.edited(others.base) == others.base
        self.number = 1 + len(
            [item for item in self.held if item is not self.own and item["prior"]["name"] == self.name]
        )
        return {
            "edit": self.done if needless else self._found(now),
            "edits": self.path,
            "name": self.name,
            "layer": 1 + max([item["prior"]["layer"] for item in self.held] or [0]),
            "mode": mode_below(self.path, snapshot["mode"]),
            "base": self._base(keeper, snapshot),
            "patches": [] if needless else self._patches(keeper, others.patch()),
        }

    def desired(self, prior):
        return {"edit": self.done}

    def apply(self, prior):
        durable.discard(durable.temporary(self.path))  # of a run that was killed
        now = lines_of(durable.read_bytes(self.path))
        try:
            self._write(now, self._pile(now).put(), prior)
        except Conflict as conflict:
            raise ActionError("%s: somebody changed it meanwhile: %s" % (self.path, self._shown(str(conflict))))

    def leave_to_others(self):
        """Our patches, to the next layer up: its place was found in the text that they made."""
        places = [place for place, item in enumerate(self.held) if item is self.own]
        changed = []
        for item in self.held[places[0] + 1 :][:1] if places else []:
            missing = [patch for patch in self.own["prior"]["patches"] if patch not in item["prior"]["patches"]]
            if missing:
                item["prior"]["patches"][:0] = missing
                changed.append(item)
        return changed

    def revert(self, prior, written):
        self.taking_back = True
        durable.discard(durable.temporary(self.path))
        if self._is_gone():
            return  # with its package, say: nothing to put back
        now = lines_of(durable.read_bytes(self.path))
        forced = bool(self.own.get("overwritten"))
        try:
            self._restore(now, self._pile(now).taken_away(prefer=TARGET if forced else DONE))
        except Conflict as conflict:
            raise ActionError(
                "%s: somebody changed the lines around our edit, so its place is not known; there now: %s"
                % (self.path, self._shown(str(conflict)))
            )

    def merge(self, prior, written, current):
        """What was captured with it has their words in its patches."""
        return dict(current)

    def secrets(self, prior):
        """The name of the thing held has the edit in it, and so has what is said of it."""
        if not is_closed(prior.get("mode") or "0"):
            return []
        line, value = self.params.get("line"), self.params.get("value")
        return [text for text in (self.done, line, value) if len(text or "") >= SHORTEST]

    def show(self, state):
        return state["edit"] or "the file is absent"

    # -- the layers

    def _base(self, keeper, snapshot):
        """The file before any of us, as the others know it."""
        if self.held:
            return self.held[0]["prior"]["base"]
        first = {key: snapshot[key] for key in ("sha256", "mtime_ns", "atime_ns")}
        return {"saved": keeper.save(self.path, sha256=first["sha256"]), "first": first}

    def _patches(self, keeper, patch):
        """None in check mode, where nothing can be saved."""
        saved = [keeper.save(self.path, bytes_of(lines)) for lines in patch or ()]
        return [saved] if saved and all(saved) else []

    def _pile(self, now, but=None):
        if not self.held:
            return Pile(now, [], now)
        base = self._load(self.held[0]["prior"]["base"]["saved"])
        return Pile(base, [self._layer(item) for item in self.held if item is not but], now)

    def _layer(self, item):
        return Layer(
            type=item["type"],
            params=item["params"],
            patches=[[self._load(saved) for saved in patch] for patch in item["prior"]["patches"]],
            applied=item["state"] == "applied",
            own=item is self.own,
        )

    def _load(self, saved):
        return lines_of(durable.read_bytes(self.path_of(saved)))

    # -- the file

    def _is_gone(self):
        """A link that somebody put in its place is not the file either."""
        return os.path.islink(self.path) or not os.path.exists(self.path)

    def _snapshot(self):
        snapshot = durable.snapshot(self.path)
        if snapshot["kind"] != "file":
            raise ActionError(
                "%s is not there, so there is nothing to edit: install what reads it, or write it whole with `file`"
                % self.path
            )
        if durable.is_immutable(self.path):
            raise ActionError("%s is immutable: take the attribute off first (chattr -i)" % self.path)
        return snapshot

    def _write(self, now, lines, prior):
        if lines == now:
            return
        validate = self.params.get("validate")
        self._replace(now, lines, self._place(), on_draft(validate))
        if validate and not on_draft(validate):
            must(validate)

    def _restore(self, now, lines):
        """The times too, where it is the file from before any of us again."""
        place = self._place()
        if lines != now:
            self._replace(now, lines, place)
            return
        state = self._dress(now, lines, place)
        if state.get("mtime_ns") not in (None, os.lstat(place).st_mtime_ns):
            os.utime(place, ns=(state["atime_ns"], state["mtime_ns"]), follow_symlinks=False)

    def _place(self):
        folder = os.path.dirname(self.path)
        return os.path.join(durable.led_to(folder, folder), os.path.basename(self.path))

    def _replace(self, now, lines, place, check=None):
        durable.write(place, bytes_of(lines), self._dress(now, lines, place), check, os.path.dirname(place))

    def _dress(self, now, lines, place):
        """Owner and mode are of the very file that was read: another's content never gets them."""
        found = durable.snapshot(place)
        if found["sha256"] != durable.hash_of(bytes_of(now)):
            raise ActionError("%s was changed just now, by somebody else: run this again" % self.path)
        state = {key: found[key] for key in ("mode", "uid", "gid", "xattrs")}
        first = self.held[0]["prior"]["base"]["first"]
        return dict(state, **first) if durable.hash_of(bytes_of(lines)) == first["sha256"] else state

    # -- for people

    def _found(self, lines):
        """Never the same as `done`: where others did it already, it is still ours to take away in the end."""
        said = self._said(lines)
        return said + " (by others)" if said == self.done else said

    def _said(self, lines):
        return self._shown("\n".join(lines[number] for number in self.places(lines))) or "not there"

    def _shown(self, text):
        try:
            mode = int(mode_below(self.path, durable.mode_text(os.stat(self.path).st_mode)), 8)
        except OSError:
            mode = 0
        return " | ".join(shown(text, mode).encode("utf-8", "replace").decode("utf-8").splitlines())[:SAID_LIMIT]
