# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""One option of sshd, in a drop-in of its own that is read first: sshd takes the first value it meets."""

import glob
import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

CONFIG = "/etc/ssh/sshd_config"
FOLDER = "/etc/ssh/sshd_config.d"


class SshdOption(Action):
    type = "sshd_option"
    required = ("name", "value")

    def __init__(self, params):
        super(SshdOption, self).__init__(params)
        self.option = params["name"].lower()
        line = "%s %s" % (params["name"], params["value"])
        if not re.match(r"[A-Za-z0-9]+ [^\r\n]+\Z", line):
            raise ActionError("sshd_option: %r is not one option with one value" % line)
        self.path = "%s/00-stopgap-%s.conf" % (FOLDER, self.option)
        self.file = File({"path": self.path, "content": line + "\n", "mode": "0644", "validate": ["sshd", "-t"]})
        for name in ("read", "capture", "desired", "revert", "merge", "show", "text", "touches", "halfway"):
            setattr(self, name, getattr(self.file, name))

    @property
    def resource(self):
        return "sshd_option:" + self.option

    def apply(self, prior):
        if not includes_folder():
            raise ActionError("%s does not include %s/*.conf, so a drop-in there has no effect" % (CONFIG, FOLDER))
        self.file.apply(prior)
        self._prove_effective()

    def warning(self):
        """What a Match block says counts for those it matches, though ours is read first."""
        ours = str(self.params["value"]).lower()
        found = [path for path in read_by_sshd() if set(matched(path, self.option)) - {ours}]
        told = "%s is otherwise for whom a Match block in %s matches"
        return told % (self.params["name"], ", ".join(found)) if found else ""

    def _prove_effective(self):
        """Compared as sshd itself prints our line, since it writes values in ways of its own (2m is 120)."""
        ours = values(self.option, ["sshd", "-T", "-f", self.path])
        effective = values(self.option, ["sshd", "-T"])
        if not set(ours) <= set(effective):
            raise ActionError(
                "%s is set before our drop-in is read: sshd uses %s, not %s"
                % (self.params["name"], ", ".join(effective) or "nothing", ", ".join(ours))
            )


def values(option, argv):
    lines = (line.partition(" ") for line in must(argv, timeout=30).splitlines())
    return [value.strip() for name, _space, value in lines if name.lower() == option]


def read_by_sshd():
    return [CONFIG] + sorted(glob.glob(FOLDER + "/*.conf"))


def matched(path, option):
    """The values that Match blocks of a file give an option; `Match all` is what counts for everybody again."""
    found, inside = [], False
    with open(path, errors="replace") as stream:
        lines = [re.split(r"[\s=]+", line.strip(), maxsplit=1) for line in stream]
    for name, value in (line for line in lines if len(line) == 2):
        if name.lower() == "match":
            inside = value.lower() != "all"
        elif inside and name.lower() == option:
            found.append(value.strip('"').lower())
    return found


def includes_folder():
    """Include patterns are relative to /etc/ssh."""
    with open(CONFIG, errors="replace") as stream:
        words = [line.split() for line in stream]
    patterns = [word for line in words if line and line[0].lower() == "include" for word in line[1:]]
    return any(os.path.dirname(os.path.join(os.path.dirname(CONFIG), pattern)) == FOLDER for pattern in patterns)
