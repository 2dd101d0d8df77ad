# SPDX-License-Identifier: Apache-2.0

DOCUMENTATION = r"""
module: connections
short_description: Hand the hosts' connections to the verifier
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Writes how Ansible would reach each host of the play into a new file that only the caller may read, for
    C(pytest --remedy) to read and remove.
  - Runs once for all hosts of a play, on the controller. No host is asked.
  - B(The file holds the passwords of these connections). Put it into a private folder in memory; there is no other
    use for this module.
options:
  path:
    description: The file; there must be none of that name.
    type: path
    required: true
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Hand over the connections
  stopgap.remediation.connections:
    path: /run/user/1000/private/connections.json
"""

RETURN = r"""#"""
