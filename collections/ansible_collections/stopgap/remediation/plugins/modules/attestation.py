#!/usr/bin/python
# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: attestation
short_description: Record that a person vouches for what no check can see
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Some fixes are not done when the package is installed, such as the keys that Heartbleed leaked. Where no check can tell,
    the remedy has an obligation with C(attest), and the fix stays unproven until somebody vouches for it.
  - Who, when and why is kept on the host, for this revision of the remedy. The verifier reads it each time.
options:
  obligations:
    description: Ids of the obligations, as the remedies name them.
    type: list
    elements: str
    required: true
  by:
    description: Who vouches.
    type: str
    required: true
  reason:
    description: What was done, or where that can be read.
    type: str
    required: true
extends_documentation_fragment:
  - stopgap.remediation.attributes
  - stopgap.remediation.remedies
seealso:
  - module: stopgap.remediation.verify
"""

EXAMPLES = r"""
- name: The keys of these hosts were replaced
  stopgap.remediation.attestation:
    remedies: "{{ resolved.remedies }}"
    obligations: [rekey]
    by: "{{ awx_user_name }}"
    reason: CHG-4711, certificates issued anew and the old ones revoked
  become: true
"""

RETURN = r"""
results:
  description: One entry for each obligation of each remedy, with whether it was recorded now.
  returned: success
  type: list
  elements: dict
  sample: [{remedy: CVE-2014-0160, obligation: rekey, changed: true}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stopgap.remediation.plugins.module_utils.attested import attest
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal, ReadOnlyJournal


def main():
    module = AnsibleModule(
        {
            "remedies": {"type": "list", "elements": "dict", "required": True},
            "obligations": {"type": "list", "elements": "str", "required": True},
            "by": {"type": "str", "required": True},
            "reason": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    journal = ReadOnlyJournal() if module.check_mode else Journal()
    try:
        results = attest(journal, asked["remedies"], asked["obligations"], asked["by"], asked["reason"])
    except (StopgapError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=any(result["changed"] for result in results), results=results)


if __name__ == "__main__":
    main()
