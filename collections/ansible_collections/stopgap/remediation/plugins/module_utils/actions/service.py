# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A systemd unit stopped or started, disabled or enabled, masked or unmasked."""

import glob
import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action, differing
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
UNIT_FOLDERS += ("/usr/lib/systemd/system", "/lib/systemd/system")
CONFIG_FOLDERS = UNIT_FOLDERS[:2]  # where enabling and disabling write
SUFFIXES = (".service", ".socket", ".timer", ".path", ".mount", ".target", ".automount", ".slice", ".swap")
RUNNING = ("active", "reloading", "activating", "refreshing")
# enabling or disabling does not apply to these: what they are is what they stay
FIXED_ON = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "transient")
FIXED_OFF = ("disabled", "static", "alias", "indirect", "generated", "transient", "")


class Service(Action):
    type = "service"
    required = ("name",)

    def __init__(self, params):
        super(Service, self).__init__(params)
        self.unit, self.own, self.left = canonical(params["name"]), None, ""

    @property
    def resource(self):
        return "service:" + self.unit

    def meet(self, own, held, path_of):
        if any(item is own for item in held):  # disabling a unit has removed its other names
            self.unit, self.own = own["resource"].partition(":")[2], own

    def read(self):
        """While it is taken back, a unit that is gone with its package has nothing to put back but its mask."""
        state = self._look()
        if self.own and self.own["state"] == "reverting" and self._is_gone():
            state.update(active=None, enabled=None)
        return state

    def _look(self):
        shown = must(["systemctl", "show", "--property=ActiveState,UnitFileState", self.unit])
        found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        unit_file = found.get("UnitFileState", "")
        if unit_file == "generated":  # of a script in /etc/init.d, say, which is enabled by links of its own
            unit_file = must(["systemctl", "is-enabled", self.unit], rcs=(0, 1)).strip()
        masked = unit_file.startswith("masked")
        # a failed unit does not run, and nobody can put it back into having failed
        return {
            "active": "active" if found["ActiveState"] in RUNNING else "inactive",
            "masked": unit_file if masked else "no",
            "enabled": None if masked else unit_file,
        }

    def capture(self, keeper):
        state, file = self.read(), os.path.join(CONFIG_FOLDERS[0], self.unit)
        if self.desired(state).get("masked") == "masked" != state["masked"] and os.path.lexists(file):
            raise ActionError(
                "%s cannot be masked, since systemd puts the mask where %s is: move that to "
                "/usr/local/lib/systemd/system first (and systemctl daemon-reload), or choose another mitigation"
                % (self.unit, file)
            )
        return dict(state, links=links())

    def desired(self, prior):
        wanted = {}
        if self.params.get("running") is not None:
            wanted["active"] = "active" if self.params["running"] else "inactive"
        if self.params.get("masked") is not None:
            wanted["masked"] = masked_as(self.params["masked"], prior["masked"])
        # whether a masked unit is enabled cannot be seen and does not matter
        if self.params.get("enabled") is not None and wanted.get("masked", prior["masked"]) == "no":
            wanted["enabled"] = enabled_as(self.params["enabled"], prior["enabled"] or "")
        return wanted

    def apply(self, prior):
        self._become(self.desired(prior))

    def revert(self, prior, written):
        """The mask first: it hides whether the unit is there. One that was a link is gone with being disabled."""
        wanted = {key: prior[key] for key in written if prior[key] is not None}
        before = prior.get("links", {}) if "enabled" in wanted else {}
        ours = {path: before[path] for path in before if self.unit in names_in(path, before[path])}
        self._become({key: wanted[key] for key in wanted if key == "masked"})
        if ours and self._is_gone():
            put_back(ours)
        if wanted.keys() - {"masked"} and self._is_gone():
            self.left = "%s is gone, so it is neither started nor enabled again" % self.unit
            return
        there = links()
        self._come_back(wanted, prior["masked"] if wanted.get("active") == "active" else "no")
        put_back(ours)
        if before:  # Also= of its file enables others, whether they were or not
            made = {path: target for path, target in links().items() if path not in there and path not in before}
            take_away([path for path in made if self.unit not in names_in(path, made[path])])

    def _come_back(self, wanted, mask):
        """One that somebody had masked while it ran does not start before the mask is off, and gets it again."""
        if mask != "no" and self._look()["active"] != "active":
            self._become({"masked": "no"})
        try:
            self._become({key: wanted[key] for key in wanted if key != "masked"})
        finally:
            if mask != "no":
                self._become({"masked": mask})

    def halfway(self, key, prior, written):
        return [None]  # gone since it was begun to be taken back

    def left_alone(self):
        return self.left

    def _is_gone(self):
        return "not-found" in must(["systemctl", "show", "--property=LoadState", self.unit])

    def make_way(self, prior, written):
        """The mask of all units comes off first: a socket and its service each refuse to start beside a masked other."""
        if "masked" in written and prior["masked"] == "no":
            now = self.read()
            if now["masked"] == written["masked"] != "no":
                self._become({"masked": "no"})

    def warning(self):
        """What starts it again unasked. A masked unit stays down whatever calls for it."""
        now = self.read()
        if self.params.get("running") is not False or now["masked"] != "no":
            return ""
        active = [unit for unit in self._related("TriggeredBy") if is_active(unit)]
        return (
            "%s is triggered by %s, which is active: name that too, or mask it" % (self.unit, ", ".join(active))
            if active
            else ""
        )

    def _related(self, name):
        return must(["systemctl", "show", "--property=" + name, self.unit]).strip().partition("=")[2].split()

    def _start(self):
        """A socket cannot be had while its service runs without it: that one steps aside."""
        busy = [unit for unit in self._related("Triggers") if is_active(unit)] if self.unit.endswith(".socket") else []
        for verb, units in (("stop", busy), ("start", [self.unit] + busy)):
            if units:
                must(["systemctl", verb] + units)

    def _become(self, wanted):
        """The mask comes off first and goes on before the stop, so that no socket starts the unit in between."""
        now = self._look()
        if "masked" in differing(now, wanted):
            for verb in MASKING[now["masked"], wanted["masked"]]:
                must(["systemctl"] + verb + [self.unit])
            now = self._look()
        if "enabled" in differing(now, wanted) and now["masked"] == "no":
            must(["systemctl"] + ENABLING.get(wanted["enabled"], ["disable"]) + [self.unit])
        if "active" in differing(now, wanted):
            if wanted["active"] == "active":
                self._start()
            else:
                must(["systemctl", "stop", self.unit])

    def show(self, state):
        parts = [state.get("active"), state.get("enabled"), state.get("masked")]
        return ", ".join(part for part in parts if part and part != "no")


MASKING = {
    ("no", "masked"): [["mask"]],
    ("no", "masked-runtime"): [["mask", "--runtime"]],
    ("masked", "no"): [["unmask"]],
    ("masked-runtime", "no"): [["unmask", "--runtime"]],
    ("masked", "masked-runtime"): [["unmask"], ["mask", "--runtime"]],
    ("masked-runtime", "masked"): [["unmask", "--runtime"], ["mask"]],
}
ENABLING = {"enabled": ["enable"], "enabled-runtime": ["enable", "--runtime"]}


def is_active(unit):
    return must(["systemctl", "show", "--property=ActiveState", unit]).strip().partition("=")[2] in RUNNING


def masked_as(wanted, prior):
    if not wanted:
        return "no"
    return "masked" if prior == "no" else prior


def enabled_as(wanted, prior):
    fixed, otherwise = (FIXED_ON, "enabled") if wanted else (FIXED_OFF, "disabled")
    return prior if prior in fixed else otherwise


def links():
    """{path: target} of what has units started: disabling one takes all that lead to it away, also those that people made;
    enabling it makes those that its file speaks of."""
    paths = [path for folder in CONFIG_FOLDERS for form in ("/*", "/*/*") for path in glob.glob(folder + form)]
    found = {path: os.readlink(path) for path in paths if os.path.islink(path)}
    return {path: target for path, target in found.items() if target != "/dev/null"}


def names_in(path, target):
    return os.path.basename(path), os.path.basename(target)


def take_away(paths):
    for path in paths:
        os.unlink(path)
        durable.sync_folder(os.path.dirname(path))
    if paths:
        must(["systemctl", "daemon-reload"])


def put_back(known):
    """Those that are gone, and still lead to something."""
    gone = [path for path in sorted(known, key=len) if not os.path.lexists(path)]
    for path in gone:
        if os.path.exists(os.path.join(os.path.dirname(path), known[path])):
            durable.make_folders(path)
            os.symlink(known[path], path)
            durable.sync_folder(os.path.dirname(path))
    if gone:
        must(["systemctl", "daemon-reload"])


def canonical(name):
    """The unit's own name, so that ssh and sshd count as one service; read from the alias links, not asked for.

    A link that leads out of systemd's folders is no alias: whatever the file there is called, it is the unit's own.
    """
    unit = name if name.endswith(SUFFIXES) else name + ".service"
    folders = [os.path.realpath(folder) for folder in UNIT_FOLDERS]
    for folder in UNIT_FOLDERS:
        target = os.path.realpath(os.path.join(folder, unit))
        alias = os.path.islink(os.path.join(folder, unit)) and os.path.dirname(target) in folders
        if alias and target.endswith(SUFFIXES):
            return os.path.basename(target)
    return unit
