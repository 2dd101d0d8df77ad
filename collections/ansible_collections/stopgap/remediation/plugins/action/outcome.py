# SPDX-License-Identifier: Apache-2.0
"""Say where every case of this host stands at the end of a run; fail a host that is not proven, so that Ansible's own limits hold."""

from ansible.plugins.action import ActionBase
from ansible_collections.stopgap.remediation.plugins.plugin_utils import flow


def describe(case):
    waiting = "; fix waits for: %s" % case["waiting_for"] if case["waiting_for"] else ""
    return "%s is %s: %s%s" % (case["remedy"], case["state"], case["reason"], waiting)


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        spec = {
            "mode": {"type": "str", "required": True, "choices": sorted(flow.GOALS)},
            "said": {"type": "dict", "required": True},
            "rollback": {"type": "str", "choices": ["auto", "ask", "never"], "default": "never"},
        }
        _options, arguments = self.validate_argument_spec(argument_spec=spec)
        cases = flow.outcomes(arguments["said"], arguments["mode"], arguments["rollback"])
        verdict = flow.host_verdict(cases)
        result.update(changed=False, cases=cases, verdict=verdict, failed=verdict != "proven")
        result["msg"] = " | ".join(describe(c) for c in cases if not c["met"]) or "all proven"
        return result
