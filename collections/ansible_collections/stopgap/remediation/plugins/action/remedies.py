# SPDX-License-Identifier: Apache-2.0
"""Choose remedies on the controller, once a play: the package loads and validates, the hosts get plain data."""

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import PackageError, run_package

LEDGER = "stopgap.remediation.ledger"
NOT_RECORDED = (
    "the callback %s is not enabled, so nothing of this run goes into the ledger: set callbacks_enabled=%s in ansible.cfg, "
    "or ANSIBLE_CALLBACKS_ENABLED; 'stopgap sync' brings the hosts' journals in later" % (LEDGER, LEDGER)
)


def split_ids(value):
    """Ids from a list, or from the one string a survey or ``-e`` gives (commas, spaces, new lines)."""
    parts = value if isinstance(value, list) else [value]
    return [str(i) for part in parts for i in str(part).replace(",", " ").split()]


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
            }
        )
        ids = split_ids(arguments["ids"])
        if not ids:
            raise AnsibleActionFail("no remedy chosen: set stopgap_remedies to one or more ids, or to 'all'")
        folders = [word for folder in arguments["path"] for word in ("--path", str(folder))]
        try:
            answer = run_package("remedy", ["resolve"] + folders + ["--"] + ids)
        except PackageError as error:
            raise AnsibleActionFail(str(error))
        if LEDGER not in C.config.get_config_value("CALLBACKS_ENABLED"):
            result["warnings"] = [NOT_RECORDED]
        result.update(changed=False, remedies=answer["remedies"])
        return result
