# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The facts a decision asks for, each gathered once and only when asked for."""
from ansible_collections.stopgap.remediation.plugins.module_utils import packages, probes, processes, system
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError


class HostFacts:
    """What `decide.assess` and `fixing.plan` ask of a host. `unreadable` says why there is nothing to decide on."""

    def __init__(self, remedies):
        self.system = system.describe()
        self.distro = self.system["distro"]
        self.kernel = system.running_kernel_version()
        self.names = sorted({name for remedy in remedies for name in names_of(remedy)})
        self.installed, self.compare, self.family, self.unreadable = {}, None, None, None
        try:
            self.family = packages.family()
            self.compare = self.family.compare
            self.refresh()
        except StopgapError as error:
            self.unreadable = str(error)

    def refresh(self):
        self.installed = self.family.installed(self.names)

    def old_code(self, names):
        return processes.old_code(names)

    def when(self, conditions):
        return [probes.evaluate(condition) for condition in conditions]

    def mitigations(self, remedy):
        return []


def names_of(remedy):
    return {package["name"] for package in remedy["affected"]["packages"]} | set(remedy["fix"]["packages"])
