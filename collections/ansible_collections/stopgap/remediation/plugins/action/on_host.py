# SPDX-License-Identifier: Apache-2.0
"""Modules that are about the host they run on: nobody else answers for it (P4). meta/runtime.yml says which they are."""

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal
from ansible_collections.stopgap.remediation.plugins.plugin_utils.devices import why_not_asked


class ActionModule(Normal):
    def run(self, tmp=None, task_vars=None):
        why = why_not_asked(self._connection, task_vars["inventory_hostname"])
        if why:
            raise AnsibleConnectionFailure(why)
        return super().run(tmp, task_vars)
