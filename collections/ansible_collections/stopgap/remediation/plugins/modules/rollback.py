#!/usr/bin/python
# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: rollback
short_description: Take back a fix that was installed within a day
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Puts back the exact versions that M(stopgap.remediation.patch) recorded on this host before it installed a remedy's fix, keeps
    configuration files as they are, and runs what the remedy's fix says should follow.
  - Refuses where a package is at a third version by now, or where an old version cannot be had any more.
  - Puts no mitigation in force. The role does that first.
options:
  lock_timeout:
    description: Seconds to wait for another process to release the package lock.
    type: int
    default: 300
extends_documentation_fragment:
  - stopgap.remediation.attributes
  - stopgap.remediation.remedies
seealso:
  - module: stopgap.remediation.patch
"""

EXAMPLES = r"""
- name: Take the fix back
  stopgap.remediation.rollback:
    remedies: "{{ resolved.remedies }}"
  become: true
"""

RETURN = r"""
results:
  description:
    - One for each remedy. C(state) is V(rolled_back), V(would_roll_back), V(none), V(refused) or V(failed); C(code) and
      C(reason) say why.
  returned: always
  type: list
  elements: dict
  sample:
    - remedy: CVE-2023-44487
      revision: 1
      state: rolled_back
      code: rolled_back
      reason: rolled back to nginx 1.22.1-9+deb12u9
      changed: true
      packages: [{name: nginx, arch: amd64, before: 1.22.1-9+deb12u11, after: 1.22.1-9+deb12u9}]
      restarted: [nginx]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stopgap.remediation.plugins.module_utils.facts import HostFacts
from ansible_collections.stopgap.remediation.plugins.module_utils.rollback import roll_back

ARGUMENTS = {
    "remedies": {"type": "list", "elements": "dict", "required": True},
    "lock_timeout": {"type": "int", "default": 300},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    remedies = module.params["remedies"]
    facts = HostFacts(remedies)
    results = [roll_back(remedy, facts, module.params["lock_timeout"], module.check_mode) for remedy in remedies]
    failed = [result for result in results if result["state"] == "failed"]
    answer = {"changed": any(result["changed"] for result in results), "results": results}
    if failed:
        module.fail_json(msg="; ".join(f"{result['remedy']}: {result['reason']}" for result in failed), **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
