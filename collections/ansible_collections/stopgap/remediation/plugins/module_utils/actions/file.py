# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A whole file that is ours, typically a drop-in."""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action, differing
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

TEXT_LIMIT = 100000


class File(Action):
    type = "file"
    required = ("path", "content")

    def __init__(self, params):
        super(File, self).__init__(params)
        self.path = os.path.normpath(params["path"])
        self.content = params["content"].encode("utf-8")
        if not os.path.isabs(self.path):
            raise ActionError("file: %s is not an absolute path" % params["path"])

    @property
    def resource(self):
        return "file:" + os.path.join(os.path.realpath(os.path.dirname(self.path)), os.path.basename(self.path))

    def read(self):
        return durable.snapshot(self.path)

    def capture(self, keeper):
        state = dict(self.read(), folders=keeper.folders_to_remove(self.path))
        if state["kind"] == "file":
            state["saved"] = keeper.save(self.path)
        return state

    def desired(self, prior):
        """A file that was there keeps its owner."""
        replaced = prior["kind"] == "file"
        return {
            "kind": "file",
            "sha256": durable.hash_of(self.content),
            "target": None,
            "mode": "%04o" % int(str(self.params.get("mode") or "0644"), 8),
            "uid": prior["uid"] if replaced else os.geteuid(),
            "gid": prior["gid"] if replaced else os.getegid(),
        }

    def apply(self, prior):
        durable.make_folders(self.path)
        label = (prior.get("xattrs") or {}).get("security.selinux")
        durable.write(
            self.path, self.content, dict(self.desired(prior), xattrs={"security.selinux": label} if label else {})
        )
        if self.params.get("validate"):
            must(self.params["validate"])

    def revert(self, prior, written):
        durable.discard(durable.temporary(self.path))
        if differing(self.read(), {key: prior[key] for key in durable.COMPARED}):
            durable.make_folders(self.path)
            durable.restore(self.path, prior, prior.get("saved"))
        durable.remove_folders(prior["folders"])

    def merge(self, prior, written, current):
        """Another content goes with its times and labels, and another kind of thing is another thing altogether."""
        changed = differing(current, written)
        if "kind" in changed or ("sha256" in changed and prior["kind"] != current["kind"]):
            return dict(current, folders=prior["folders"])
        merged = super(File, self).merge(prior, written, current)
        if "sha256" in changed:
            merged.update((key, current.get(key)) for key in durable.CONTENT)
        return merged

    def show(self, state):
        if state["kind"] == "absent":
            return "absent"
        if state["kind"] == "link":
            return "link to " + state["target"]
        return "mode %s, owner %s:%s, sha256 %s" % (state["mode"], state["uid"], state["gid"], state["sha256"][:12])

    def text(self, state):
        if state["kind"] != "file":
            return "" if state["kind"] == "absent" else self.show(state) + "\n"
        if state["sha256"] == durable.hash_of(self.content):
            return self.params["content"]
        return durable.read_bytes(state.get("saved") or self.path).decode("utf-8", "replace")[:TEXT_LIMIT]
