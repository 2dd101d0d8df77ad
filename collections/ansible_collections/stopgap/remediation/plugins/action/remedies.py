# SPDX-License-Identifier: Apache-2.0
"""Choose remedies on the controller, once a play: the package loads and validates, the hosts get plain data."""

import os

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils.choice import split_ids
from ansible_collections.stopgap.remediation.plugins.plugin_utils.extension import wish_of
from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import PackageError, run_package
from ansible_collections.stopgap.remediation.plugins.plugin_utils.witness import actor_of, due_of

LEDGER = "stopgap.remediation.ledger"
NOT_RECORDED = (
    "the callback %s is not enabled, so nothing of this run goes into the ledger: set callbacks_enabled=%s in ansible.cfg, "
    "or ANSIBLE_CALLBACKS_ENABLED; 'stopgap sync' brings the hosts' journals in later" % (LEDGER, LEDGER)
)
ALONE = ("free", "host_pinned")  # strategies in which each host runs by itself
OF_THE_PLAY = ("hosts", "serial")  # the variables stopgap_hosts and stopgap_serial


def refuse_to_attest(arguments, remedies):
    """Before any host is touched: a word that nobody asked for, or without a reason, is worth nothing."""
    if not arguments["attest"]:
        return
    known = {one["id"] for remedy in remedies for one in remedy["fix"]["obligations"] if one["attest"]}
    strange = sorted(set(arguments["attest"]) - known)
    if strange:
        told = ", ".join(sorted(known)) or "these remedies have none"
        raise AnsibleActionFail("no obligation %s to attest (there are: %s)" % (", ".join(strange), told))
    if not arguments["reason"].strip():
        raise AnsibleActionFail("stopgap_attest vouches for what no check can see: set stopgap_reason, it is recorded")


def refuse_to_extend(arguments):
    try:
        wish_of(arguments)
    except ValueError as error:
        raise AnsibleActionFail(str(error))


def refuse_to_hurry(strategy):
    """What is done once for all hosts is then done by each of them, for all others, whatever they are at."""
    if strategy.rpartition(".")[2] in ALONE:
        raise AnsibleActionFail(
            "the strategy %s is not for this role: remedies are chosen, and hosts proven, for all of a play at once. "
            "Use linear; stopgap_serial works on some hosts at a time" % strategy
        )


def refuse_unheard(play, told):
    """Ansible reads these before any host's variables: in group_vars they would narrow nothing, and nobody would know."""
    for word in OF_THE_PLAY:
        here, wanted = split_ids(getattr(play, word)), split_ids(told[word] or [])
        if wanted and wanted != here:
            raise AnsibleActionFail(
                "stopgap_%s is %s here, and the play's %s is %s: Ansible reads that before the inventory's variables. Say it with -e"
                % (word, ", ".join(wanted), word, ", ".join(here))
            )


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _options, arguments = self.validate_argument_spec(
            argument_spec={
                "ids": {"type": "raw", "required": True},
                "path": {"type": "list", "elements": "str", "default": []},
                "attest": {"type": "list", "elements": "str", "default": []},
                "reason": {"type": "str", "default": ""},
                "extend": {"type": "str", "default": ""},
                "once": {"type": "dict", "default": {}},
            }
        )
        if self._task.run_once:
            play, variables = self._task.get_play(), task_vars or {}
            refuse_to_hurry(play.strategy)
            refuse_unheard(play, {w: self._templar.template(variables.get("stopgap_" + w)) for w in OF_THE_PLAY})
        ids = split_ids(arguments["ids"])
        if not ids:
            raise AnsibleActionFail("no remedy chosen: set stopgap_remedies to one or more ids, or to 'all'")
        folders = [word for folder in arguments["path"] for word in ("--path", str(folder))]
        try:
            answer = run_package("remedy", ["resolve"] + folders + ["--"] + ids)
        except PackageError as error:
            raise AnsibleActionFail(str(error))
        refuse_to_attest(arguments, answer["remedies"])
        refuse_to_extend(arguments)
        try:
            due = due_of(self._task.get_variable_manager().extra_vars)
        except ValueError as error:
            raise AnsibleActionFail(str(error))
        if LEDGER not in C.config.get_config_value("CALLBACKS_ENABLED"):
            result["warnings"] = [NOT_RECORDED]
        result.update(
            changed=False,
            ids=ids,
            remedies=answer["remedies"],
            knowledge=answer["knowledge"],
            due=due,
            once=arguments["once"],
            actor=actor_of(task_vars or {}, os.environ),
        )
        return result
