# SPDX-License-Identifier: Apache-2.0
"""Prove what is in effect: the hosts of a batch are asked at once, each over its own connection."""

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils.connections import Connections
from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import PackageError, run_package

ARGUMENTS = {
    "remedies": {"type": "list", "elements": "dict", "required": True},
    "targets": {"type": "dict", "required": True},
    "tests": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 30},
}


class ActionModule(ActionBase):
    _requires_connection = False  # it makes its own
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _options, request = self.validate_argument_spec(argument_spec=ARGUMENTS)
        connections = Connections(self._task, self._play_context, self._loader, task_vars)
        request["connections"] = dict((host, connections.resolve(host)) for host in request["targets"])
        request["forks"] = task_vars.get("ansible_forks") or 5
        try:
            answer = run_package("verify", request=request)
        except PackageError as error:
            raise AnsibleActionFail(str(error))
        result.update(changed=False, results=answer["results"])
        return result
