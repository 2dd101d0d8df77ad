#!/usr/bin/python
# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: assess
short_description: Say where a host stands with each remedy
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Judges every remedy against the host's own facts, that is installed packages, running processes, mitigations in force
    and the remedy's conditions, and says why. Changes nothing.
  - Needs root, to read what every process has mapped and the journal of mitigations; without it the answer is C(unknown).
extends_documentation_fragment:
  - stopgap.remediation.attributes
  - stopgap.remediation.remedies
seealso:
  - module: stopgap.remediation.patch
  - module: stopgap.remediation.mitigation
"""

EXAMPLES = r"""
- name: Resolve the remedies once a play
  stopgap.remediation.remedies:
    ids: [CVE-2023-44487]
  register: resolved
  run_once: true

- name: See where this host stands
  stopgap.remediation.assess:
    remedies: "{{ resolved.remedies }}"
  become: true
  register: assessed
"""

RETURN = r"""
system:
  description:
    - The distribution as remedies name it, the running kernel, the architecture, and a hash of the machine id (empty where
      there is none).
  returned: always
  type: dict
  sample: {distro: debian-12, kernel: 6.1.0-50-amd64, arch: amd64, host_id: 5d41402abc4b2a76b9719d911017c592}
assessments:
  description: One for each remedy. C(code) and C(reason) say what decided; C(evidence) holds the facts it was decided on.
  returned: always
  type: list
  elements: dict
  sample:
    - remedy: CVE-2023-44487
      revision: 1
      state: exposed
      code: below_fixed
      reason: nginx 1.22.1-9+deb12u9 < 1.22.1-9+deb12u11
      evidence: {packages: [], when: [], old_code: [], mitigation: null}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stopgap.remediation.plugins.module_utils import decide
from ansible_collections.stopgap.remediation.plugins.module_utils.facts import HostFacts


def main():
    module = AnsibleModule(
        argument_spec={"remedies": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    remedies = module.params["remedies"]
    facts = HostFacts(remedies)
    module.exit_json(changed=False, system=facts.system, assessments=[decide.assess(one, facts) for one in remedies])


if __name__ == "__main__":
    main()
