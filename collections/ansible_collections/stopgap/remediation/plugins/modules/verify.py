# SPDX-License-Identifier: Apache-2.0

DOCUMENTATION = r"""
module: verify
short_description: Prove on hosts that a fix or a mitigation is in effect
version_added: "0.1.0"
author: Stopgap developers (@stopgap)
description:
  - Runs a remedy's checks, and a site's own testinfra tests, on every host of O(targets), in parallel, over the
    connection that Ansible itself would use for that host, with its C(become).
  - Runs on the controller and changes nothing. Give the task C(run_once=true), it asks a whole batch of hosts.
  - A host that cannot be asked is V(unknown), never V(fail) and never V(pass), and costs no other host its verdict.
  - Connections it speaks are ssh, local, C(containers.podman.podman) and C(community.docker.docker); hosts on
    any other are asked by an C(ansible) for each command, about a second each, with a warning.
requirements:
  - the stopgap package in the Python that runs Ansible
  - Python 3.6 or newer on the hosts
options:
  remedies:
    description: Resolved remedies, as M(stopgap.remediation.remedies) returns them.
    type: list
    elements: dict
    required: true
  targets:
    description:
      - "What to prove on which host: C({HOST: [{remedy: ID, phase: fix or mitigation, mitigation: ID or null}]})."
      - Phase C(fix) runs the remedy's checks and those of its obligations, phase C(mitigation) those of the mitigation,
        the first valid one unless one is named.
    type: dict
    required: true
  tests:
    description:
      - Files of testinfra tests with the C(host) fixture, run for every target.
      - Whatever they say becomes part of the verdict. A test that is skipped or breaks is V(unknown).
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds a check may take, and seconds a host may take to let us in.
    type: int
    default: 30
  extend:
    description:
      - Time that a mitigation gets from now on where its proof passes, such as C(14d); it is recorded with the proof.
      - Never more than the mitigation's own time. What does not pass gets nothing.
    type: str
    default: ""
  reason:
    description: Why it gets more time; needed with O(extend), and recorded.
    type: str
    default: ""
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
seealso:
  - module: stopgap.remediation.remedies
"""

EXAMPLES = r"""
- name: Prove that the fix is in effect everywhere
  stopgap.remediation.verify:
    remedies: "{{ chosen.remedies }}"
    targets: >-
      {{ dict(ansible_play_hosts | product([[{'remedy': 'CVE-2023-44487', 'phase': 'fix', 'mitigation': none}]])) }}
    tests: [tests/test_site.py]
  become: true
  run_once: true
  register: proof

- name: Halt where it is not
  ansible.builtin.assert:
    that: proof.results[inventory_hostname] | map(attribute='verdict') | unique == ['pass']
"""

RETURN = r"""
results:
  description: For every host one entry a target.
  type: dict
  returned: always
  sample:
    web1:
      - remedy: CVE-2023-44487
        revision: 1
        phase: fix
        mitigation: null
        verdict: pass
        reason: all 3 checks passed
        checks:
          - id: package:nginx
            type: package
            verdict: pass
            reason: nginx:amd64 1.22.1-9+deb12u11 is at least 1.22.1-9+deb12u11
            seconds: 0.01
"""
