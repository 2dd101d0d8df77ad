# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`service_active: UNIT`: systemd runs the unit, or is starting or reloading it."""

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise

RUNNING = ("active", "activating", "reloading")


def probe(unit):
    # 3: not active, 4: no such unit. Without systemd as PID 1 systemctl says 1, which is no answer.
    try:
        answer = command.ask({"run": ["systemctl", "is-active", "--", unit], "rc": [0, 3, 4]})
    except Surprise as surprise:
        return None, str(surprise)
    state = answer.stdout.strip() or "not known to systemd"
    return state in RUNNING, f"{unit} is {state}"
