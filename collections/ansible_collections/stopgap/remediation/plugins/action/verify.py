# SPDX-License-Identifier: Apache-2.0
"""Prove what is in effect: the hosts of a batch are asked at once, each over its own connection."""

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils.connections import Connections
from ansible_collections.stopgap.remediation.plugins.plugin_utils.extension import wish_of
from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import PackageError, run_package

MOST_NAMED = 5
ARGUMENTS = {
    "remedies": {"type": "list", "elements": "dict", "required": True},
    "targets": {"type": "dict", "required": True},
    "tests": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 30},
    "extend": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
}


def tell_extensions(results, wish):
    """Beside each proof of a mitigation what it is extended by, if it holds. What is cut is told once a mitigation."""
    cut = set()
    for item in [item for items in results.values() for item in items]:
        item.pop("extension", None)
        if wish and item["phase"] == "mitigation":
            item["extension"] = wish.told(item["remedy"], item["mitigation"])
            if item["extension"] not in (None, wish.text):
                cut.add("%s, mitigation %s: extended by %s" % (item["remedy"], item["mitigation"], item["extension"]))
    return sorted(cut)


def tell_slow(connections):
    """Once: which hosts are asked by an `ansible` for every command."""
    slow = sorted(host for host, connection in connections.items() if "ansible" in connection)
    if not slow:
        return []
    kinds = ", ".join(sorted({connections[host]["ansible"]["ansible_connection"] for host in slow}))
    names = ", ".join(slow[:MOST_NAMED]) + (" and %d more" % (len(slow) - MOST_NAMED) if slow[MOST_NAMED:] else "")
    return ["%s cannot be kept open: each command costs about a second on %s" % (kinds, names)]


class ActionModule(ActionBase):
    _requires_connection = False  # it makes its own
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _options, request = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            wish = wish_of(request)
        except ValueError as error:
            raise AnsibleActionFail(str(error))
        for name in ("extend", "reason"):
            del request[name]
        connections = Connections(self._task, self._play_context, self._loader, task_vars)
        request["connections"] = dict((host, connections.resolve(host)) for host in request["targets"])
        request["forks"] = task_vars.get("ansible_forks") or 5
        try:
            answer = run_package("verify", request=request)
        except PackageError as error:
            raise AnsibleActionFail(str(error))
        told = tell_extensions(answer["results"], wish) + tell_slow(request["connections"])
        if told:
            result["warnings"] = told
        result.update(changed=False, results=answer["results"])
        return result
