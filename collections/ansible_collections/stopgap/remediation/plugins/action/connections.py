# SPDX-License-Identifier: Apache-2.0
"""Hand the hosts' own connections to a verifier that Ansible did not start: `pytest --remedy`."""

import json
import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils.connections import Connections
from ansible_collections.stopgap.remediation.plugins.plugin_utils.forks import share_memory

share_memory()  # the strategy imports this file in the process that forks, to see whether there is a host loop


def write_private(path, items):
    """A new file that only we may read: never over one that is there, never through a link.

    One item after the other: nobody has to hold all of them.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        for number, (name, value) in enumerate(items):
            file.write("%s%s: %s" % (",\n" if number else "{", json.dumps(name), json.dumps(value)))
        file.write("}")


class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True  # once for all hosts of the play
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _options, arguments = self.validate_argument_spec(argument_spec={"path": {"type": "path", "required": True}})
        connections = Connections(self._task, self._play_context, self._loader, task_vars)
        found = ((host, connections.resolve(host)) for host in task_vars["ansible_play_hosts_all"])
        try:
            write_private(arguments["path"], found)
        except OSError as error:
            raise AnsibleActionFail("%s: %s" % (arguments["path"], error.strerror))
        result.update(changed=False)  # the connections hold secrets: they are in the file and nowhere else
        return result
