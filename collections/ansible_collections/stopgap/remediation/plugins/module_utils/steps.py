# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What follows a change (`then`): restart or reload a unit, restart what still runs old code, run a command."""

import re

from ansible_collections.stopgap.remediation.plugins.module_utils.command import ask, excerpt, execute, must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError, StopgapError

# Restarting these ends sessions or the system's own bookkeeping: told, never done.
UNTOUCHABLE = re.compile(
    r"\.scope$|^(init|user@.*|dbus|dbus-broker|systemd-logind|getty@.*|serial-getty@.*|"
    r"container-getty@.*|console-getty|gdm3?|lightdm|sddm|display-manager)(\.service)?$|^-?$"
)
SSHD = re.compile(r"sshd?(\.service)?$")
MANAGER = "init.scope"  # systemd itself: it can run its new code without losing a unit


def run_steps(steps):
    """Run them in order; ActionError or Surprise at the first that fails.

    Returns {"restarted": [unit], "left": [what runs old code and only a person may restart]}.
    """
    outcome = {"restarted": [], "left": []}
    for step in steps:
        if step["type"] not in STEPS:
            raise ActionError("no step type %s here (known: %s)" % (step["type"], ", ".join(sorted(STEPS))))
        try:
            STEPS[step["type"]](step["params"], outcome)
        except (StopgapError, OSError) as error:
            raise StepFailed(error, outcome)
    return outcome


class StepFailed(ActionError):
    """A step did not work: those after it were not begun. `outcome` is what was done before."""

    def __init__(self, error, outcome):
        done = "restarted before it: %s" % (", ".join(outcome["restarted"]) or "nothing")
        super().__init__("%s (%s; what should follow was not begun)" % (error, done))
        self.outcome = outcome


def restart(unit, outcome):
    """A unit that does not run stays down: it runs no old code, and somebody may have stopped it on purpose."""
    state = active_state(unit)
    if state == "inactive":
        return
    guard(unit)
    if state == "failed":  # or systemd may refuse: it was started too often
        must(["systemctl", "reset-failed", unit])
    must(["systemctl", "restart", unit])
    outcome["restarted"].append(unit)


def reload(unit, outcome):
    if active_state(unit) != "inactive":
        guard(unit)
        must(["systemctl", "reload-or-restart", unit])


def active_state(unit):
    """Asked first: try-restart fails on a masked unit before systemd 248, though there is nothing to do."""
    return must(["systemctl", "show", "--property=ActiveState", unit]).strip().partition("=")[2]


def guard(unit):
    """An sshd that does not come back takes the way to the host with it: it is asked whether it would, first."""
    if not SSHD.match(unit):
        return
    answer = execute(["sshd", "-t"])
    if answer.rc != 0:
        raise ActionError(
            "%s is not restarted, it would not come back: sshd -t: %s; mend its configuration first"
            % (unit, excerpt(answer))
        )


def restart_users_of(params, outcome):
    """PACKAGE, or {"package", "except": [unit], "at_most": N}: what may not be restarted now is told as left."""
    units, left = users_of(params)
    outcome["left"] += left
    for unit in units:
        if unit == MANAGER:
            must(["systemctl", "daemon-reexec"])
            outcome["restarted"].append(unit)
        else:
            restart(unit, outcome)


def users_of(params):
    """([unit to restart], [what is left to a person]) of what still runs old code of a package."""
    from ansible_collections.stopgap.remediation.plugins.module_utils import processes

    params = params if isinstance(params, dict) else {"package": params}
    try:
        processes.package_files(params["package"])
    except processes.Unreadable:
        return [], []  # not installed: a remedy may name what other releases call the package
    users = processes.old_code([params["package"]])
    spared = [named(unit) for unit in params.get("except") or []]
    room, units, left = params.get("at_most"), [], []
    for unit in sorted({user["unit"] or "" for user in users}):
        if (UNTOUCHABLE.search(unit) and unit != MANAGER) or unit in spared or room == 0:
            left += [told(user) for user in users if (user["unit"] or "") == unit]
        else:
            units.append(unit)
            room = room and room - (unit != MANAGER)
    return units, left


def would_restart(steps):
    """The units that `run_steps` would restart now. Changes nothing."""
    units = []
    for step in steps:
        if step["type"] == "restart" and active_state(step["params"]) != "inactive":
            units.append(named(step["params"]))
        elif step["type"] == "restart_users_of":
            units += users_of(step["params"])[0]
    return list(dict.fromkeys(units))


def named(unit):
    """As systemd's own commands take it: nginx is nginx.service."""
    return unit if "." in unit else unit + ".service"


def told(user):
    unit = ", " + user["unit"] if user["unit"] else ""
    return "%s (pid %s%s) runs old code of %s" % (user["name"], user["pid"], unit, user["package"])


def run(argv, outcome):
    answer = ask({"run": argv, "timeout": 300})
    if not answer.matched:
        raise ActionError(answer.reason)


STEPS = {"restart": restart, "reload": reload, "restart_users_of": restart_users_of, "run": run}
