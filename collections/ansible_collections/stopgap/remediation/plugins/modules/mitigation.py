# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: mitigation
short_description: Put interim mitigations in force, or lift them
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Carries out the actions of a remedy's mitigation, after writing down on the host what was there before.
  - A second run changes nothing; a run after a crash finishes what was begun.
  - What several mitigations hold is restored when the last one is lifted.
extends_documentation_fragment:
  - stopgap.remediation.attributes
  - stopgap.remediation.remedies
attributes:
  diff_mode:
    support: full
options:
  state:
    description: V(present) puts the mitigation in force, V(absent) lifts it and restores what was there before.
    type: str
    choices: [present, absent]
    default: present
  mitigation:
    description:
      - Id of the mitigation, where a remedy has several.
      - If not given, V(present) takes the one in force or else the first valid one, V(absent) lifts all of the remedy.
    type: str
  owner:
    description:
      - Who answers for the mitigation until the fix is in.
      - Of a mitigation that is in force already, somebody else from now on. If not given, whoever it is stays.
    type: str
    default: ""
  reason:
    description: Why it is put in force or lifted; recorded on the host.
    type: str
    default: ""
  force:
    description: Lift even what somebody changed since; what they wrote is kept in the journal.
    type: bool
    default: false
  done:
    description:
      - Actions of type C(tasks) that were run on the controller since the last call, as RV(results[].pending_tasks) named them.
      - Of each, C(entry) and C(action) count, and C(unchanged) where its C(check) found that there was nothing to do.
    type: list
    elements: dict
    default: []
  assess:
    description:
      - Assess first, in the same call, and put a mitigation in force only for remedies that this host is exposed to or holds already.
      - For O(state=present). It spares a round trip to every host.
    type: bool
    default: false
seealso:
  - module: stopgap.remediation.journal_info
"""

EXAMPLES = r"""
- name: Put mitigations in force
  stopgap.remediation.mitigation:
    remedies: "{{ chosen.remedies }}"
    owner: web-team
    reason: reboot window is on Sunday
  become: true

- name: Lift them
  stopgap.remediation.mitigation:
    remedies: "{{ chosen.remedies }}"
    state: absent
    reason: fix proven in effect
  become: true
"""

RETURN = r"""
assessments:
  description: As M(stopgap.remediation.assess) gives them.
  returned: when O(assess)
  type: list
  elements: dict
system:
  description: As M(stopgap.remediation.assess) gives it.
  returned: when O(assess)
  type: dict
results:
  description: One item for each mitigation handled, those that failed included.
  returned: when the journal could be read and written
  type: list
  elements: dict
  contains:
    remedy:
      description: Id of the remedy.
      type: str
    mitigation:
      description: Id of the mitigation.
      type: str
    state:
      description:
        - One of V(applied), V(lifted), V(failed), V(refused), V(none), V(pending_tasks), V(would_apply), V(would_lift).
        - V(refused) means that somebody changed the thing since; nothing was lifted.
      type: str
    changed:
      description: Whether this run changed the host for it.
      type: bool
    reason:
      description: One sentence.
      type: str
    entry:
      description: Name of the journal entry.
      type: str
    history:
      description: The states of the entry with their moments, from the first one on.
      type: list
      elements: dict
    actions:
      description: What was done to which resource, with the state before and after.
      type: list
      elements: dict
    pending_tasks:
      description: Task files to run on the controller before calling again with O(done).
      type: list
      elements: dict
    expires_at:
      description: When the mitigation's own time is up.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stopgap.remediation.plugins.module_utils import decide
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.facts import HostFacts
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal, ReadOnlyJournal
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import mitigate

ARGUMENTS = {
    "remedies": {"type": "list", "elements": "dict", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "mitigation": {"type": "str"},
    "owner": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "force": {"type": "bool", "default": False},
    "done": {"type": "list", "elements": "dict", "default": []},
    "assess": {"type": "bool", "default": False},
}


def main():
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    done = [(item["entry"], item["action"], item.get("unchanged", False)) for item in module.params["done"]]
    wanted = dict(module.params, done=done)
    told = {}
    if wanted.pop("assess"):
        facts = HostFacts(wanted["remedies"])
        told["system"] = facts.system
        told["assessments"] = [decide.assess(one, facts) for one in wanted["remedies"]]
        open_cases = {one["remedy"] for one in told["assessments"] if one["state"] in ("exposed", "mitigated")}
        wanted["remedies"] = [one for one in wanted["remedies"] if one["id"] in open_cases]
    journal = ReadOnlyJournal() if module.check_mode else Journal()
    try:
        results, diffs = mitigate(journal, **wanted)
    except (StopgapError, OSError) as error:
        module.fail_json(msg=str(error), **told)
    failed = [result for result in results if result["state"] == "failed"]
    answer = {"changed": any(result["changed"] for result in results), "failed": bool(failed), "results": results}
    if failed:
        answer["msg"] = "; ".join("%s: %s" % (result["remedy"], result["reason"]) for result in failed)
    module.exit_json(diff=diffs if module._diff else [], **dict(told, **answer))


if __name__ == "__main__":
    main()
