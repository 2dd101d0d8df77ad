# SPDX-License-Identifier: Apache-2.0
"""The role's decisions as filters; the logic is in plugin_utils/flow.py."""

from ansible_collections.stopgap.remediation.plugins.plugin_utils import flow

# what the role registers -> (name in flow.py, key of the module's answer)
REGISTERED = {
    "__remediate_assessed": ("assess", "assessments"),
    "__remediate_patched": ("patch", "results"),
    "__remediate_mitigated": ("mitigation", "results"),
    "__remediate_lifted": ("lift", "results"),
}


def said(variables):
    """What one host said in this run; a step that was skipped or broke said nothing."""
    return dict((name, (variables.get(register) or {}).get(key) or []) for register, (name, key) in REGISTERED.items())


def verify_targets(hosts, hostvars):
    found = dict((host, flow.verify_targets(said(hostvars[host]))) for host in hosts)
    return dict((host, targets) for host, targets in found.items() if targets)


def lifted_targets(hosts, hostvars):
    found = dict((host, flow.lifted_targets(said(hostvars[host]))) for host in hosts)
    return dict((host, targets) for host, targets in found.items() if targets)


class FilterModule:
    def filters(self):
        return {
            "wants_fix": flow.wants_fix,
            "wants_mitigation": flow.wants_mitigation,
            "wants_lifting": flow.wants_lifting,
            "verify_targets": verify_targets,
            "lifted_targets": lifted_targets,
        }
