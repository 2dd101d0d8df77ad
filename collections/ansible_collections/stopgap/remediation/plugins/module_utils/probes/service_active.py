# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`service_active: UNIT`: systemd runs the unit, is starting or reloading it, or a socket starts it for whoever comes."""

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise

RUNNING = ("active", "activating", "reloading", "refreshing")


def probe(unit):
    try:
        state = state_of(unit)
        sockets = [] if state in RUNNING else [name for name in sockets_of(unit) if state_of(name) in RUNNING]
    except Surprise as surprise:
        return None, str(surprise)
    return state in RUNNING or bool(sockets), f"{unit} is {state}" + (
        f", but {sockets[0]} starts it" if sockets else ""
    )


def state_of(unit):
    # 3: not active, 4: no such unit. Without systemd as PID 1 systemctl says 1, which is no answer.
    answer = command.ask({"run": ["systemctl", "is-active", "--", unit], "rc": [0, 3, 4]})
    return answer.stdout.strip() or "not known to systemd"


def sockets_of(unit):
    """Those that start the unit; none where it is masked."""
    answer = command.ask({"run": ["systemctl", "show", "--property=LoadState,TriggeredBy", "--", unit]})
    shown = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
    triggers = shown.get("TriggeredBy", "").split() if shown.get("LoadState") != "masked" else []
    return [name for name in triggers if name.endswith(".socket")]
