# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A package held as it is, removed, or set back to a version without the flaw and held there."""

import shutil
import tempfile

from ansible_collections.stopgap.remediation.plugins.module_utils import packages, system
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.service import Service
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


class Package(Action):
    type = "package"
    required = ("name",)

    def __init__(self, params):
        super(Package, self).__init__(params)
        self.name = params["name"]
        self.removed, self.version = bool(params.get("removed")), params.get("version")
        self.held = True if self.version and params.get("held") is None else params.get("held")
        self.left = ""
        if not self.removed and not self.version and self.held is None:
            raise ActionError("package %s: neither held nor removed nor version is asked for" % self.name)

    @property
    def resource(self):
        return "package:" + self.name

    def read(self):
        found = self._installed()
        return {
            "version": ", ".join(sorted({one["version"] for one in found})) or None,
            "held": bool(found) and all(one["held"] for one in found),
        }

    def capture(self, keeper):
        """For a package that will change also its file, its services, whether apt counts it as asked for, and what chose it."""
        found = self._installed()
        self._refuse(found)
        state = self.read()
        if not state["held"]:
            state["held_for"] = [one["arch"] for one in found if one["held"]]  # of several architectures, some
        if not found or not self._changes(state):
            return state
        package, keeping = found[0], self._keeping()
        if self.removed:
            keeping.prove_removable(package)
        else:
            keeping.prove_settable(package, self.version)
        return dict(state, arch=package["arch"], saved=self._save(package, keeper), **self._surroundings(package))

    def desired(self, prior):
        wanted = {}
        if self.removed:
            wanted["version"] = None
        if self.version:
            wanted["version"] = self.version
        if self.held is not None:
            wanted["held"] = self.held
        return wanted

    def apply(self, prior):
        found = self._installed()
        if self.removed and found:
            self._keeping().remove(found[0])
        elif self.version and self.read()["version"] != self.version:
            self._keeping().set_version(found[0], self.version)
            restore_services(prior.get("units", {}))
        self._hold(self.held)

    def revert(self, prior, written):
        current = self.read()
        if "version" in written and current["version"] != prior["version"]:
            if prior["version"] is None or self.spared(prior, written, current):
                self.left = "%s is at %s by now, and stays there" % (self.name, current["version"])
            else:
                self._put_back(prior)
        if "held" in written or "units" in prior:
            self._hold(prior["held"], prior.get("held_for", ()))

    def spared(self, prior, written, current):
        """A version newer than what was there and than what we set is the fix: it stays."""
        versions = [written.get("version"), prior["version"]]
        if not all(versions) or not current["version"]:
            return []
        compare = self._family().facts.compare
        return ["version"] if all(compare(current["version"], version) > 0 for version in versions) else []

    def merge(self, prior, written, current):
        """Another version comes with its own file and services."""
        if "version" in written and current["version"] != written["version"]:
            return current
        return super(Package, self).merge(prior, written, current)

    def show(self, state):
        return "%s%s" % (state["version"] or "not installed", ", held" if state["held"] else "")

    def left_alone(self):
        return self.left

    def _family(self):
        return packages.family(system.describe()["distro"])

    def _keeping(self):
        keeping = self._family().keeping
        if keeping is None:
            raise ActionError(
                "package %s: on this family of distributions a package cannot be held, removed or set back yet: "
                "choose another mitigation" % self.name
            )
        return keeping

    def _installed(self):
        return self._family().facts.installed([self.name])[self.name]

    def _refuse(self, found):
        self._keeping()
        broken = [one for one in found if one["broken"]]
        if broken:
            raise ActionError("%s is %s: repair it first" % (self.name, broken[0]["broken"]))
        if not found and not self.removed:
            raise ActionError("%s is not installed" % self.name)
        if len(found) > 1 and (self.removed or self.version):
            raise ActionError(
                "%s is installed more than once (%s), and no one of them can be meant"
                % (self.name, ", ".join("%s %s" % (one["arch"], one["version"]) for one in found))
            )

    def _changes(self, state):
        return self.removed or (self.version is not None and state["version"] != self.version)

    def _save(self, package, keeper):
        """Before anything is changed: what cannot be put back is not taken away."""
        if keeper.read_only:
            self._keeping().prove_obtainable(package)
            return None
        folder = tempfile.mkdtemp()
        try:
            return keeper.save(self._keeping().fetch(package, folder))
        finally:
            shutil.rmtree(folder)

    def _surroundings(self, package):
        keeping = self._keeping()
        units = {unit: Service({"name": unit}).read() for unit in keeping.units(package)}
        return {"auto": keeping.is_auto(package), "units": units, "choices": keeping.choices(package)}

    def _put_back(self, prior):
        self._keeping().install_file({"name": self.name, "arch": prior["arch"]}, prior["saved"])
        if self.read()["version"] != prior["version"]:
            raise ActionError("%s is %s, not %s" % (self.name, self.read()["version"], prior["version"]))
        self._keeping().mark_auto(self._installed()[0], prior["auto"])
        restore_services(prior["units"])
        for name, path in sorted(prior.get("choices", {}).items()):
            self._keeping().choose(name, path)

    def _hold(self, held, arches=()):
        for one in self._installed() if held is not None else []:
            wanted = held or one["arch"] in arches
            if one["held"] != wanted:
                (self._keeping().hold if wanted else self._keeping().unhold)(one)


def restore_services(units):
    """A maintainer's script may have started, stopped, enabled or masked them. Sockets and timers come before services."""
    for unit in sorted(units, key=lambda name: (name.endswith(".service"), name)):
        Service({"name": unit}).revert(units[unit], units[unit])
