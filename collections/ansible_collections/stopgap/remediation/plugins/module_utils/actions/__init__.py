# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The action types by name. Imports are spelt out because AnsiballZ packs what it can see imported."""

from ansible_collections.stopgap.remediation.plugins.module_utils.actions.archive_member import ArchiveMember
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.command import Command
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file_mode import FileMode
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.firewall import Firewall
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.ini_option import IniOption
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.kernel_module import KernelModule
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.line import Line
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.mount_option import MountOption
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.package import Package
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.service import Service
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.sshd_option import SshdOption
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.sysctl import Sysctl
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.tasks import Tasks
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.user_setting import UserSetting
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

ACTIONS = {
    "archive_member": ArchiveMember,
    "command": Command,
    "file": File,
    "file_mode": FileMode,
    "firewall": Firewall,
    "ini_option": IniOption,
    "kernel_module": KernelModule,
    "line": Line,
    "mount_option": MountOption,
    "package": Package,
    "service": Service,
    "sshd_option": SshdOption,
    "sysctl": Sysctl,
    "tasks": Tasks,
    "user_setting": UserSetting,
}


def make(item):
    """The action of a typed item of a remedy or of the journal."""
    if item["type"] not in ACTIONS:
        raise ActionError("no action type %s here (known: %s)" % (item["type"], ", ".join(sorted(ACTIONS))))
    return ACTIONS[item["type"]](item["params"])
