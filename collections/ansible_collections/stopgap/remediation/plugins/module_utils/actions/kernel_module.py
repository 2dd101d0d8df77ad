# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A kernel module that is not loaded: not by an alias, not by name, and not left loaded."""

from ansible_collections.stopgap.remediation.plugins.module_utils import modprobe
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

FOLDER = "/etc/modprobe.d"
INSTALL = "/bin/false"


class KernelModule(Action):
    type = "kernel_module"
    required = ("name",)

    def __init__(self, params):
        super(KernelModule, self).__init__(params)
        self.name = modprobe.plain(params["name"])
        if not self.name.replace("_", "").isalnum():
            raise ActionError("kernel_module: %s is not the name of a module" % params["name"])
        lines = ["blacklist " + self.name] if params.get("blacklist", True) else []
        lines += ["install %s %s" % (self.name, INSTALL)] if params.get("install_false", True) else []
        self.unload = params.get("unload", True)
        if not lines and not self.unload:
            raise ActionError(
                "kernel_module %s: neither blacklist nor install_false nor unload is asked for" % self.name
            )
        path = "%s/stopgap-%s.conf" % (FOLDER, self.name)
        self.file = File({"path": path, "content": "".join(line + "\n" for line in lines)})
        self.has_file, self.others, self.left = bool(lines), [], ""

    @property
    def resource(self):
        return "kernel_module:" + self.name

    def read(self):
        return dict(self.file.read(), loaded=self.name in modprobe.loaded())

    def capture(self, keeper):
        self._refuse_another_file()
        state = dict(self.file.capture(keeper), loaded=self.name in modprobe.loaded())
        if not state["loaded"] and modprobe.is_built_in(self.name):
            raise ActionError(
                "%s is built into this kernel, so nothing keeps it from being there but a boot parameter "
                "(initcall_blacklist=…, or what the driver itself knows)" % self.name
            )
        if self.unload and state["loaded"]:
            self._refuse_in_use()
        return state

    def meet(self, own, held, path_of):
        self.others = [item for item in held if item["resource"] == self.resource]

    def _refuse_another_file(self):
        """One file a module: a second remedy that asks for less must not take away what the first has in it."""
        if self.has_file:
            for item in self.others:
                if item["written"].get("sha256") not in (None, self.file.desired({"kind": "absent"})["sha256"]):
                    raise ActionError(
                        "kernel_module %s: another mitigation holds %s with other lines; ask for the same ones"
                        % (self.name, self.file.path)
                    )

    def desired(self, prior):
        wanted = self.file.desired(prior) if self.has_file else {}
        return dict(wanted, loaded=False) if self.unload else wanted

    def apply(self, prior):
        """The file first, so that nothing loads the module again in between."""
        if self.has_file:
            self.file.apply(prior)
            self._prove_first()
        if self.unload and self.name in modprobe.loaded():
            self._refuse_in_use()
            must(["rmmod", self.name])

    def revert(self, prior, written):
        if self.has_file:
            self.file.revert(prior, written)
        if written.get("loaded") is not False or not prior["loaded"] or self.name in modprobe.loaded():
            return
        if modprobe.on_disk(self.name):
            must(["modprobe", self.name])
        else:
            self.left = "this kernel has no module %s, so it is not loaded again" % self.name

    def spared(self, prior, written, current):
        """The fix is another kernel, and that one may not have the module."""
        return [] if current["loaded"] or modprobe.on_disk(self.name) else ["loaded"]

    def left_alone(self):
        return self.left

    def merge(self, prior, written, current):
        """A module that somebody has loaded again was loaded before, too."""
        parts = {key: value for key, value in written.items() if key != "loaded"}
        merged = self.file.merge(prior, parts, current) if parts else dict(prior)
        return dict(merged, loaded=prior["loaded"] or current["loaded"])

    def show(self, state):
        told = "loaded" if state["loaded"] else "not loaded"
        return "%s, file %s" % (told, self.file.show(state)) if self.has_file else told

    def text(self, state):
        loaded = "%s: %s\n" % (self.name, "loaded" if state["loaded"] else "not loaded")
        return loaded + (self.file.text(state) if self.has_file else "")

    def warning(self):
        told = []
        if not self.unload and self.name in modprobe.loaded():
            told.append("%s is loaded, and stays so until the next boot" % self.name)
        others = [command for command in self._commands() if command != INSTALL]
        if others:
            told.append("another file of modprobe's says: install %s %s" % (self.name, others[0]))
        return "; ".join(told)

    def _commands(self):
        """What modprobe would run, in the order in which it finds it: the first one counts."""
        asked = self.has_file and self.params.get("install_false", True)
        return modprobe.installs(modprobe.configuration(), self.name) if asked else []

    def _prove_first(self):
        first = self._commands()[:1]
        if first and not modprobe.is_nothing(first[0]):
            raise ActionError(
                "kernel_module %s: another file comes first: install %s %s: take that line out, or give its file a name "
                "after %s" % (self.name, self.name, first[0], self.file.path)
            )

    def _refuse_in_use(self):
        users = modprobe.loaded().get(self.name)
        if users:
            raise ActionError(
                "%s is in use by %s: unload that first, or set unload: false" % (self.name, ", ".join(users))
            )
