# SPDX-License-Identifier: Apache-2.0
"""The role's decisions as filters; the logic is in plugin_utils/choice.py, flow.py and said.py."""

import functools

from ansible.errors import AnsibleFilterError
from ansible_collections.stopgap.remediation.plugins.plugin_utils import choice, flow
from ansible_collections.stopgap.remediation.plugins.plugin_utils.said import said


def told(function):
    """Its ValueError as Ansible wants to hear it."""

    @functools.wraps(function)
    def filtered(*args):
        try:
            return function(*args)
        except ValueError as error:
            raise AnsibleFilterError(str(error))

    return filtered


chosen = told(choice.chosen)


def said_of_chosen(variables, mode, host):
    """A host that was asked nothing said nothing, which must not look like a host with nothing to say."""
    chosen(variables.get("__remediate_chosen") or {}, [])
    return said(variables, mode, host)


def _of_each(hosts, hostvars, mode, targets):
    found = {host: targets(said(hostvars[host], mode, host)) for host in hosts}
    return {host: items for host, items in found.items() if items}


def verify_targets(hosts, hostvars, mode):
    return _of_each(hosts, hostvars, mode, flow.verify_targets)


def lifted_targets(hosts, hostvars, mode):
    return _of_each(hosts, hostvars, mode, flow.lifted_targets)


def returned_targets(hosts, hostvars, mode):
    return _of_each(hosts, hostvars, mode, flow.returned_targets)


class FilterModule:
    def filters(self):
        return {
            "batches": told(choice.batches),
            "chosen": chosen,
            "said": said_of_chosen,
            "wants_fix": flow.wants_fix,
            "wants_mitigation": flow.wants_mitigation,
            "wants_lifting": flow.wants_lifting,
            "task_files": flow.task_files,
            "verify_targets": verify_targets,
            "lifted_targets": lifted_targets,
            "wants_reboot": flow.wants_reboot,
            "wants_rollback": flow.wants_rollback,
            "may_go_back": flow.may_go_back,
            "returned_targets": returned_targets,
        }
