# SPDX-License-Identifier: Apache-2.0
"""Switches and the like (network_cli, netconf, httpapi): for them Ansible runs modules, and ``raw``, on the controller."""


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
