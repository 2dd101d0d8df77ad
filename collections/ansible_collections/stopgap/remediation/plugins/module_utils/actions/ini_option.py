# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""One option in one section of an ini file: set once, or not at all."""

from ansible_collections.stopgap.remediation.plugins.module_utils.editing import Edit
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import places_of_option, plain
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


class IniOption(Edit):
    type = "ini_option"
    required = ("path", "option")

    def __init__(self, params):
        super(IniOption, self).__init__(params)
        if bool(params.get("absent")) == (params.get("value") is not None):
            raise ActionError("ini_option: give `value`, or `absent`")
        values = [params.get("section") or "", params["option"], params.get("value") or ""]
        if any(char in text for text in values for char in "\r\n\0") or not is_name(params["option"]):
            raise ActionError("ini_option: %r is not one option with one value" % values)

    @property
    def name(self):
        section = self.params.get("section")
        where = "" if section is None else "[%s] " % plain(section)
        return "%s%s = %s" % (where, plain(self.params["option"]), self.params.get("value"))

    @property
    def done(self):
        if self.params.get("absent"):
            return "%s is not set" % self.params["option"]
        return "%s = %s" % (self.params["option"], self.params["value"])

    def places(self, lines):
        return [number for first, end in places_of_option(lines, self.params) for number in range(first, end)]


def is_name(option):
    """PHP-FPM has options such as `php_admin_value[open_basedir]`; what begins with a bracket is a section."""
    return not set("=#;") & set(option) and not option.lstrip().startswith("[")
