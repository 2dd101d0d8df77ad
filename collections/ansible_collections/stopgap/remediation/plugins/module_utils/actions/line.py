# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""One line of a file, in place of all that match; or none of those."""

import re

from ansible_collections.stopgap.remediation.plugins.module_utils.editing import Edit
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import places_of_line
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


class Line(Edit):
    type = "line"
    required = ("path",)

    def __init__(self, params):
        super(Line, self).__init__(params)
        if bool(params.get("absent")) == bool(params.get("line")) or (params.get("absent") and not params.get("match")):
            raise ActionError("line: give `line`, or `absent` with `match`")
        for key in ("match", "after"):
            try:
                re.compile(params.get(key) or "")
            except re.error as error:
                raise ActionError("line: %s %r: %s" % (key, params[key], error))

    @property
    def name(self):
        """All that decides what the edit does, so that only equal edits are one thing."""
        said = [self.params.get(key) for key in ("match", "line", "after")]
        return " ".join(part for part in (said[0], "->", said[1] or "nothing", said[2] and "after " + said[2]) if part)

    @property
    def done(self):
        return self.params.get("line") or "no line matches " + self.params["match"]

    def places(self, lines):
        return places_of_line(lines, self.params)
