#!/usr/bin/python
# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

DOCUMENTATION = r"""
module: patch
short_description: Install the vendor's fix of each remedy, and say what still runs the old code
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Brings exactly the packages a remedy names to their newest version the repositories offer, where that version holds
    the fix. Refuses, and says why, where it does not.
  - Never removes a package, never finishes an interrupted dpkg, dnf or zypper run unasked, never releases a hold.
  - Records the exact versions from before on the host's disk, and says whether they can be had again (C(rollback) of each
    result). M(stopgap.remediation.rollback) puts them back.
  - One remedy is one transaction, so that a package missing from a mirror keeps back its own remedy only.
options:
  conffiles:
    description:
      - Which side to take of a configuration file that was edited here and changed by the package.
      - With V(replace), edited files of a package that already holds the fix are taken from it too.
        The local one stays beside it as C(.dpkg-old) or C(.rpmsave).
    type: str
    choices: [keep, replace]
    default: keep
  lock_timeout:
    description: Seconds to wait for another process to release the package lock.
    type: int
    default: 300
  restart:
    description: Run what the remedy's fix says should follow, which is mostly to restart services.
    type: bool
    default: true
  look:
    description:
      - Only say what would be installed, and whether it could be taken back. As check mode, but on freshly fetched lists.
    type: bool
    default: false
extends_documentation_fragment:
  - stopgap.remediation.attributes
  - stopgap.remediation.remedies
attributes:
  check_mode:
    details: Decides on the package lists as they lie on the host, since fetching them is a change.
  diff_mode:
    support: full
    details: Shows the versions of the packages before and after.
seealso:
  - module: stopgap.remediation.assess
  - module: stopgap.remediation.rollback
"""

EXAMPLES = r"""
- name: Install the fix, keep local configuration, restart what the remedy names
  stopgap.remediation.patch:
    remedies: "{{ resolved.remedies }}"
    lock_timeout: 600
  become: true

- name: Install now, restart in the night
  stopgap.remediation.patch:
    remedies: "{{ resolved.remedies }}"
    restart: false
  become: true
"""

RETURN = r"""
results:
  description:
    - One for each remedy. C(state) is V(installed), V(already), V(refused), V(failed) or V(would_install); C(code) and
      C(reason) say why. A refusal is an answer and fails nothing.
    - C(old_code) lists processes that still run what was replaced, and is null where that could not be told.
    - C(rollback) is null where no fix of ours is to be taken back, as after a refusal.
  returned: always
  type: list
  elements: dict
  sample:
    - remedy: CVE-2023-44487
      revision: 1
      state: installed
      code: installed
      reason: installed nginx=1.22.1-9+deb12u11
      changed: true
      packages:
        - name: nginx
          before: 1.22.1-9+deb12u9
          after: 1.22.1-9+deb12u11
          candidate: 1.22.1-9+deb12u11
          required: [1.22.1-9+deb12u11]
      conffiles: []
      restarted: [nginx]
      left: []
      old_code: []
      reboot_required: false
      rollback:
        possible: true
        from: repository
        packages: [{name: nginx, arch: amd64, version: 1.22.1-9+deb12u9, from: repository}]
        reason: the old versions can be had again
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.stopgap.remediation.plugins.module_utils.facts import HostFacts
from ansible_collections.stopgap.remediation.plugins.module_utils.fixing import Fixing, Options

ARGUMENTS = {
    "remedies": {"type": "list", "elements": "dict", "required": True},
    "conffiles": {"type": "str", "choices": ["keep", "replace"], "default": "keep"},
    "lock_timeout": {"type": "int", "default": 300},
    "restart": {"type": "bool", "default": True},
    "look": {"type": "bool", "default": False},
}


def versions(results, key):
    packages = [package for result in results for package in result["packages"]]
    return "".join(sorted({f"{package['name']} {package[key] or package['after']}\n" for package in packages}))


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    remedies = module.params["remedies"]
    told = module.params
    only_say = module.check_mode or told["look"]
    options = Options(told["conffiles"], told["lock_timeout"], told["restart"], only_say, told["look"])
    fixing = Fixing(HostFacts(remedies), options)
    results = [fixing.fix(remedy) for remedy in remedies]
    failed = [result for result in results if result["state"] == "failed" or result["code"] == "step_failed"]
    for result in results:
        if result["state"] == "would_install" and result["rollback"] and not result["rollback"]["possible"]:
            module.warn(f"{result['remedy']}: this fix cannot be rolled back: {result['rollback']['reason']}")
    answer = {"changed": any(result["changed"] for result in results), "results": results}
    if module._diff:
        after = "candidate" if only_say else "after"
        answer["diff"] = {"before": versions(results, "before"), "after": versions(results, after)}
    if failed:
        module.fail_json(msg="; ".join(f"{result['remedy']}: {result['reason']}" for result in failed), **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
