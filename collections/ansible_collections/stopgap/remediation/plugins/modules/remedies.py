# SPDX-License-Identifier: Apache-2.0

DOCUMENTATION = r"""
module: remedies
short_description: Choose remedies from the catalogue, validated
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Loads the named remedies on the controller and returns them as plain data for the modules that work on hosts.
  - Nothing is sent to a host. Run it once a play.
options:
  ids:
    description: Ids or aliases, as a list or as one string separated by commas or white space; V(all) is the whole catalogue.
    type: raw
    required: true
  path:
    description: Folders with remedies of your own, looked at before the catalogue that comes with the collection.
    type: list
    elements: str
    default: []
  attest:
    description: Obligations that a person is about to vouch for; refused here where no remedy has them.
    type: list
    elements: str
    default: []
  reason:
    description: Why the person may say so, or why a mitigation gets more time; needed with O(attest) and O(extend).
    type: str
    default: ""
  extend:
    description: The time that mitigations are about to get, such as C(14d); refused here where it is none.
    type: str
    default: ""
  once:
    description: Variables that are used once for all hosts of the play; returned as they are, to compare each host's own with.
    type: dict
    default: {}
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
- name: Choose the remedies
  stopgap.remediation.remedies:
    ids: CVE-2023-44487
  run_once: true
  register: catalogue
"""

RETURN = r"""
ids:
  description: What they were asked for by.
  type: list
  elements: str
  returned: success
remedies:
  description: The remedies with every default filled in.
  type: list
  elements: dict
  returned: success
knowledge:
  description: What each remedy tells the ledger, under an id that is made from it.
  type: list
  elements: dict
  returned: success
due:
  description: Which of them are meant on which host, a list of ids by host, as the extra variable C(stopgap_due) says; empty where all are.
  type: dict
  returned: success
once:
  description: O(once).
  type: dict
  returned: success
actor:
  description: Who runs this play, as it is recorded.
  type: str
  returned: success
"""
