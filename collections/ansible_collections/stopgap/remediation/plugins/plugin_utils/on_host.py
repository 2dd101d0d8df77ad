# SPDX-License-Identifier: Apache-2.0
"""For modules that are about the host they run on: nobody else answers for it (P4).

Switches and the like (network_cli, netconf, httpapi) run no modules: Ansible runs theirs, and ``raw``, on the controller.
"""

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal

ELSEWHERE = (
    "delegate_to asks {other}, and what that host says and gets would be recorded as {host}'s: "
    "make {other} a host of the play instead"
)


# Modules write their arguments into the host's syslog, and a remedy may have a rule of sudo or a file's content in it.
SILENT = {"ansible_no_target_syslog": True}


class OnHost(Normal):
    """The action of such a module. The name of its file is its own: a redirect would be what callbacks hear."""

    def run(self, tmp=None, task_vars=None):
        host, other = task_vars["inventory_hostname"], self._task.delegate_to
        if other and other != host:
            raise AnsibleActionFail(ELSEWHERE.format(other=other, host=host))
        why = why_not_asked(self._connection, host)
        if why:
            raise AnsibleConnectionFailure(why)
        return without_variables(super().run(tmp, dict(task_vars, **SILENT)))


def without_variables(result):
    """What our modules never say, and Ansible would hear from a host (P9).

    Facts are variables that outweigh the inventory's: `stopgap_tests`, say, and of the first host of a batch for all of
    them. Statistics are the extra variables of what an AWX workflow runs next. What Ansible itself has found out stays.
    """
    result.pop("ansible_stats", None)
    facts = result.pop("ansible_facts", None) or {}
    own = {name: value for name, value in facts.items() if name.startswith("discovered_interpreter_")}
    return dict(result, ansible_facts=own) if own else result


def why_not_asked(connection, host):
    """A sentence where the controller would answer for this host; else an empty string."""
    if not getattr(connection, "_remote_is_local", False):  # Ansible's own sign: such plugins have no class in common
        return ""
    return (
        "%s runs modules on the controller, not on %s: let a Linux host stand for it (docs: action `tasks`), or leave it "
        "out by --limit" % (name_of(connection), host)
    )


def name_of(plugin):
    """As inventories name it; its `_load_name` is Python's, which Ansible does not find it by."""
    return plugin.ansible_name.removeprefix("ansible.builtin.")
