# SPDX-License-Identifier: Apache-2.0
"""Hosts grouped by where their cases stand, as the ledger has them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = r"""
name: ledger
short_description: Group hosts by the state of their cases in the Stopgap ledger
description:
  - Adds the hosts of the ledger to groups named after states, so that a play can run over what is still exposed, or
    owed.
  - Groups are C(stopgap_STATE), C(stopgap_debt), C(stopgap_orphan), C(stopgap_regressed), C(stopgap_mitigation_lost),
    C(stopgap_expired) (a mitigation ran out, so the host is in C(stopgap_exposed) too), C(stopgap_accepted),
    and for each remedy C(stopgap_REMEDY_STATE), as in C(stopgap_cve_2023_44487_exposed).
  - Use it beside the inventory that says how to reach the hosts. Groups without a remedy in their name always exist.
  - Runs C(python -m stopgap.ledger cases --json); found through C(inventory_plugins) in ansible.cfg.
options:
  plugin:
    description: Must be C(ledger).
    required: true
    choices: [ledger]
  estate:
    description: Only cases of this estate; all by default.
    type: str
    default: ""
  remedies:
    description: Only cases of these remedies; all by default.
    type: list
    elements: str
    default: []
  prefix:
    description: What group names start with.
    type: str
    default: stopgap
  state_dir:
    description: Where the ledger is, as C(STOPGAP_STATE_DIR); C(STOPGAP_LEDGER_URL) is passed on as well.
    type: path
    env:
      - name: STOPGAP_STATE_DIR
  timeout:
    description: Seconds the ledger may take to answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
# fleet.stopgap.yml, used as: ansible-playbook -i hosts -i fleet.stopgap.yml -l stopgap_debt playbooks/fix.yml
plugin: ledger
estate: production
"""

STATES = ("unknown", "not_affected", "exposed", "mitigated", "patched", "fixed")
MARKS = ("debt", "orphan", "regressed", "mitigation_lost", "expired", "accepted")


class InventoryModule(BaseInventoryPlugin):
    NAME = "ledger"

    def verify_file(self, path):
        named = Path(path).name
        ours = named.endswith((".stopgap.yml", ".stopgap.yaml")) or named in ("ledger.yml", "ledger.yaml")
        return ours and super().verify_file(path)

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        prefix = self.get_option("prefix")
        for name in STATES + MARKS:
            self.inventory.add_group(group_name(prefix, name))
        for case in self._cases():
            host = self.inventory.add_host(case["host"])
            for name in groups_of(case, prefix):
                self.inventory.add_child(self.inventory.add_group(name), host)

    def _cases(self):
        estate, remedies = self.get_option("estate"), self.get_option("remedies")
        return [
            case
            for case in self._read_ledger()
            if (not estate or case["estate"] == estate) and (not remedies or case["remedy"] in remedies)
        ]

    def _read_ledger(self):
        environ = dict(os.environ)
        if self.get_option("state_dir"):
            environ["STOPGAP_STATE_DIR"] = self.get_option("state_dir")
        command = [sys.executable, "-P", "-m", "stopgap.ledger", "cases", "--json"]  # nothing of the current folder
        try:
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=self.get_option("timeout"), check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AnsibleParserError(f"the ledger could not be read: {error}") from error
        if done.returncode:
            raise AnsibleParserError(f"the ledger could not be read: {done.stderr.strip()}")
        return json.loads(done.stdout)["cases"]


def groups_of(case, prefix):
    """Names made of states and ids only: nothing a host said becomes part of an inventory."""
    owed = case["mitigations"]
    marks = [flag for flag in case["flags"] if flag in MARKS]
    if owed:
        marks.append("orphan" if case["state"] in ("fixed", "not_affected") else "debt")
    marks.append(case["state"])
    return [group_name(prefix, mark) for mark in marks] + [group_name(prefix, case["remedy"], mark) for mark in marks]


def group_name(*words):
    return re.sub(r"[^a-z0-9]+", "_", "_".join(words).lower())
