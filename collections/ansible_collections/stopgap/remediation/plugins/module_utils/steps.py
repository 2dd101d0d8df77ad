# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What follows a change (`then`): restart or reload a unit, restart what still runs old code, run a command."""

import re

from ansible_collections.stopgap.remediation.plugins.module_utils.command import ask, must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

# Restarting these ends sessions or the system's own bookkeeping: told, never done.
UNTOUCHABLE = re.compile(
    r"\.scope$|^(init|user@.*|dbus|dbus-broker|systemd-logind|getty@.*|serial-getty@.*|"
    r"container-getty@.*|console-getty|gdm3?|lightdm|sddm|display-manager)(\.service)?$|^-?$"
)
MANAGER = "init.scope"  # systemd itself: it can run its new code without losing a unit


def run_steps(steps):
    """Run them in order; ActionError or Surprise at the first that fails.

    Returns {"restarted": [unit], "left": [what runs old code and only a person may restart]}.
    """
    outcome = {"restarted": [], "left": []}
    for step in steps:
        if step["type"] not in STEPS:
            raise ActionError("no step type %s here (known: %s)" % (step["type"], ", ".join(sorted(STEPS))))
        STEPS[step["type"]](step["params"], outcome)
    return outcome


def restart(unit, outcome):
    """A unit that does not run stays down: it runs no old code, and somebody may have stopped it on purpose."""
    if runs(unit):
        must(["systemctl", "restart", unit])
        outcome["restarted"].append(unit)


def reload(unit, outcome):
    if runs(unit):
        must(["systemctl", "reload-or-restart", unit])


def runs(unit):
    """Asked first: try-restart fails on a masked unit before systemd 248, though there is nothing to do."""
    return must(["systemctl", "show", "--property=ActiveState", unit]).strip() != "ActiveState=inactive"


def restart_users_of(package, outcome):
    from ansible_collections.stopgap.remediation.plugins.module_utils import processes

    if not processes.file_lists(package):
        return  # not installed: a remedy may name what other releases call the package
    users = processes.old_code([package])
    for unit in sorted({user["unit"] or "" for user in users}):
        if unit == MANAGER:
            must(["systemctl", "daemon-reexec"])
            outcome["restarted"].append(unit)
        elif UNTOUCHABLE.search(unit):
            outcome["left"] += [told(user) for user in users if (user["unit"] or "") == unit]
        else:
            restart(unit, outcome)


def told(user):
    unit = ", " + user["unit"] if user["unit"] else ""
    return "%s (pid %s%s) runs old code of %s" % (user["name"], user["pid"], unit, user["package"])


def run(argv, outcome):
    answer = ask({"run": argv, "timeout": 300})
    if not answer.matched:
        raise ActionError(answer.reason)


STEPS = {"restart": restart, "reload": reload, "restart_users_of": restart_users_of, "run": run}
