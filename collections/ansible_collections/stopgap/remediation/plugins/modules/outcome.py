# SPDX-License-Identifier: Apache-2.0

DOCUMENTATION = r"""
module: outcome
short_description: Say where every case of a host stands, and fail a host that is not proven
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Puts together what the other modules said of this host in this run. Runs on the controller and touches nothing.
  - A host with a case that did not reach what the run was for is failed, so that C(serial) and C(max_fail_percentage) halt a roll-out.
options:
  mode:
    description: What the run was for.
    type: str
    required: true
    choices: [assess, fix, lift, mitigate, recheck, remediate, verify]
  said:
    description: What the modules returned of this host, as P(stopgap.remediation.said#filter) puts it together.
    type: dict
    required: true
  rollback:
    description: What the site wants of a fix that turned out bad. With V(ask) the outcome says how to take it back.
    type: str
    choices: [auto, ask, never]
    default: never
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
- name: Say where every case stands
  stopgap.remediation.outcome:
    mode: mitigate
    said: "{{ hostvars[inventory_hostname] | stopgap.remediation.said('mitigate', inventory_hostname) }}"
"""

RETURN = r"""
verdict:
  description: One word for the host; V(failed) weighs more than V(unknown).
  type: str
  returned: always
  sample: proven
cases:
  description: One entry a remedy, with C(state), C(reason), C(waiting_for) and whether the goal was C(met).
  type: list
  elements: dict
  returned: always
"""
