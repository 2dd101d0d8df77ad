# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A whole file that is ours, typically a drop-in; or one that shall not be there, or that nobody may change."""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action, differing
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must, on_draft
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.secrecy import (
    is_closed,
    lines_to_hide,
    mode_below,
    shown,
)

NEW_MODE = "0644"
DRESS = ("mode", "uid", "gid")
KEPT = ("security.selinux", durable.ACCESS_LIST)  # another content has no capabilities, but the same readers


class File(Action):
    type = "file"
    required = ("path",)

    def __init__(self, params):
        super(File, self).__init__(params)
        self.path = os.path.normpath(params["path"])
        if not os.path.isabs(self.path):
            raise ActionError("file: %s is not an absolute path" % params["path"])
        self.absent, self.immutable = bool(params.get("absent")), params.get("immutable")
        self.content = None if params.get("content") is None else params["content"].encode("utf-8")
        if self.absent == (self.content is not None or self.immutable is not None):
            raise ActionError("file: give `content`, `immutable` or both, or `absent`")
        self.known = os.path.dirname(self.place)

    @property
    def place(self):
        return os.path.join(os.path.realpath(os.path.dirname(self.path)), os.path.basename(self.path))

    @property
    def resource(self):
        return "file:" + self.place

    def touches(self):
        return {self.place: "all"}

    def meet(self, own, held, path_of):
        if any(item is own for item in held):
            self.known = os.path.dirname(own["resource"].partition(":")[2])

    def read(self):
        state = durable.snapshot(self.path)
        return dict(state, immutable=durable.is_immutable(self.path) if state["kind"] == "file" else None)

    def capture(self, keeper):
        state = dict(self.read(), folders=keeper.folders_to_remove(self.path))
        if self.immutable:
            self._must_be_possible(state)
        if self.content is None and not self.absent:  # its content is none of our business
            return {key: state[key] for key in durable.COMPARED + ("immutable", "folders")}
        if state["kind"] == "file":
            state["saved"] = keeper.save(self.path, sha256=state["sha256"])
        wanted = self.desired(state)
        state["modes"] = [mode_below(self.path, mode) for mode in (state["mode"], wanted["mode"]) if mode]
        return state if self.absent else dict(state, becomes={key: wanted[key] for key in DRESS})

    def desired(self, prior):
        """A file that was there keeps its owner, and its mode unless another is given.

        Once decided (`becomes`), that is not changed by what somebody does to the file later.
        """
        if self.absent:
            return dict(durable.absent(), immutable=None)
        wanted = {} if self.immutable is None else {"immutable": bool(self.immutable)}
        if self.content is None:
            return wanted
        found = {key: prior[key] for key in DRESS} if prior["kind"] == "file" else new_dress()
        dress = dict(prior.get("becomes") or found)
        if self.params.get("mode"):
            dress["mode"] = "%04o" % int(str(self.params["mode"]), 8)
        return dict(wanted, kind="file", sha256=durable.hash_of(self.content), target=None, **dress)

    def apply(self, prior):
        folder = self._folder()
        if self.absent:
            self._unlock()
            durable.discard(self.path, folder)
            durable.sync_folder(os.path.dirname(self.path))
        elif self.content is not None:
            self._write(prior, folder)
        if not self.absent:
            durable.set_immutable(self.path, prior.get("immutable") if self.immutable is None else self.immutable)
        if self.params.get("validate") and not on_draft(self.params["validate"]):
            must(self.params["validate"])

    def halfway(self, key, prior, written):
        """What is immutable is not so while it is replaced."""
        return [False] if key == "immutable" else []

    def revert(self, prior, written):
        folder = self._folder()
        durable.discard(durable.temporary(self.path), folder)
        if "kind" in written and differing(self.read(), {key: prior[key] for key in durable.COMPARED}):
            durable.make_folders(self.path)
            self._unlock()
            durable.restore(self.path, prior, prior.get("saved"), folder)
        if self.read()["kind"] == "file":
            durable.set_immutable(self.path, prior.get("immutable"))
        durable.remove_folders(prior["folders"])

    def merge(self, prior, written, current):
        """Another content goes with its times and labels, and another kind of thing is another thing altogether."""
        changed = differing(current, written)
        if "becomes" in prior:
            current = dict(current, becomes=prior["becomes"])
        if "kind" in changed or ("sha256" in changed and prior["kind"] != current["kind"]):
            return dict(current, folders=prior["folders"])
        merged = super(File, self).merge(prior, written, current)
        if "sha256" in changed:
            merged.update((key, current.get(key)) for key in durable.CONTENT)
        return merged

    def secrets(self, prior):
        """A validator may cite the file."""
        modes = prior.get("modes") or [self.params.get("mode") or "0"]
        return lines_to_hide(self.params.get("content") or "") if is_closed(*modes) else []

    def show(self, state):
        if state["kind"] == "absent":
            return "absent"
        if state["kind"] == "link":
            return "link to " + state["target"]
        locked = ", immutable" if state.get("immutable") else ""
        return "mode %s, owner %s:%s, sha256 %s%s" % (
            state["mode"],
            state["uid"],
            state["gid"],
            state["sha256"][:12],
            locked,
        )

    def text(self, state):
        """Contents only where everybody may read them, before and after."""
        if state["kind"] == "absent":
            return ""
        if state["kind"] == "link" or (self.content is None and not self.absent):
            return self.show(state) + "\n"
        if self.content is not None and state["sha256"] == durable.hash_of(self.content):
            text = self.params["content"]
        else:
            text = durable.read_bytes(state.get("saved") or self.path).decode("utf-8", "replace")
        return shown(text, *[int(mode, 8) for mode in state.get("modes") or [state["mode"]]])

    def _must_be_possible(self, state):
        if self.content is None and state["kind"] != "file":
            raise ActionError("%s is not a file, so it cannot be made immutable: give its `content` too" % self.path)
        if durable.attributes(nearest(self.path)) is None:
            raise ActionError("%s: its file system has no immutable attribute" % self.path)

    def _folder(self):
        return durable.led_to(os.path.dirname(self.path), self.known)

    def _write(self, prior, folder):
        durable.make_folders(self.path)
        kept = {name: value for name, value in (prior.get("xattrs") or {}).items() if name in KEPT}
        state = dict(self.desired(prior), xattrs=kept)
        durable.write(self.path, self.content, state, self._accept, folder)

    def _accept(self, draft):
        """The validator's word on the draft first; only then is the file that is there opened to change."""
        ask = on_draft(self.params.get("validate"))
        if ask:
            ask(draft)
        self._unlock()

    def _unlock(self):
        if durable.is_immutable(self.path):
            durable.set_immutable(self.path, False)


def new_dress():
    return {"mode": NEW_MODE, "uid": os.geteuid(), "gid": os.getegid()}


def nearest(path):
    """The path, or the folder above it that is there."""
    return path if os.path.lexists(path) else nearest(os.path.dirname(path))
