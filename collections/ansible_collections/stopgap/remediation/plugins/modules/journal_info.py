# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: journal_info
short_description: Read which mitigations a host holds
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Returns the host's journal of mitigations, those that were lifted included, without saved contents.
extends_documentation_fragment:
  - stopgap.remediation.attributes
options: {}
seealso:
  - module: stopgap.remediation.mitigation
"""

EXAMPLES = r"""
- name: What does this host hold?
  stopgap.remediation.journal_info:
  become: true
  register: journal
"""

RETURN = r"""
entries:
  description: Every entry with its whole history, oldest first.
  returned: success
  type: list
  elements: dict
host_id:
  description: A hash of the machine id, to tell a reinstalled host from the one that was there before.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import entry_info
from ansible_collections.stopgap.remediation.plugins.module_utils.system import host_id


def main():
    module = AnsibleModule({}, supports_check_mode=True)
    try:
        entries = Journal().entries()
    except (StopgapError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, entries=[entry_info(entry) for entry in entries], host_id=host_id())


if __name__ == "__main__":
    main()
