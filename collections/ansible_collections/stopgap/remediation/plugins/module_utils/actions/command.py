# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The way out for what no type covers: three commands of the remedy's own."""

import hashlib
import json

from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.command import ask
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.secrecy import lines_to_hide


class Command(Action):
    type = "command"
    required = ("check", "apply", "revert")

    @property
    def resource(self):
        """The same change by the same commands is the same thing, whoever asks for it."""
        said = json.dumps([self.params["apply"]["run"], self.params["revert"]["run"]])
        return "command:%s#%s" % (self.params["apply"]["run"][0], hashlib.sha256(said.encode("utf-8")).hexdigest()[:12])

    def read(self):
        return {"holds": ask(self.params["check"]).matched}

    def desired(self, prior):
        return {"holds": True}

    def apply(self, prior):
        """Asks first: after a crash it may have run, and running it twice need not be harmless."""
        if not self.read()["holds"]:
            succeed(self.params["apply"])

    def revert(self, prior, written):
        if self.read() == {"holds": True} and not prior["holds"]:
            succeed(self.params["revert"])

    def secrets(self, prior):
        """What the commands read, since they may say it again."""
        given = [cmd.get("stdin") or "" for cmd in (self.params["check"], self.params["apply"], self.params["revert"])]
        return [line for text in given for line in lines_to_hide(text)]

    def show(self, state):
        return "check holds" if state["holds"] else "check does not hold"


def succeed(cmd):
    answer = ask(cmd)
    if not answer.matched:
        raise ActionError(answer.reason)
