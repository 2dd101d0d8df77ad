# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What any Ansible module can do: task files of the user's, run by the role on the controller, journaled here."""

import hashlib
import json

from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action


class Tasks(Action):
    type = "tasks"
    required = ("apply",)
    on_controller = True

    @property
    def resource(self):
        variables = self.params.get("vars") or {}
        if not variables:
            return "tasks:" + self.params["apply"]
        said = json.dumps(variables, sort_keys=True)
        return "tasks:%s#%s" % (self.params["apply"], hashlib.sha256(said.encode("utf-8")).hexdigest()[:12])

    def read(self):
        """Only the task files know; the engine compares nothing for this type."""
        return {}

    def desired(self, prior):
        return {}

    def apply(self, prior):
        pass

    def revert(self, prior, written):
        pass

    def show(self, state):
        return "tasks of the remedy"
