# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Mode and owner of one path, kept over reinstallation of its package where dpkg can be told to."""

import grp
import os
import pwd

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.command import execute, must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

ADMINDIR = "/var/lib/dpkg"
CAPABILITIES = "security.capability"
CLEARED_BY_CHOWN = 0o1777  # what stays of a mode


class FileMode(Action):
    type = "file_mode"
    required = ("path", "mode")

    def __init__(self, params):
        super(FileMode, self).__init__(params)
        self.given = os.path.normpath(params["path"])
        self.path = os.path.realpath(self.given)

    @property
    def resource(self):
        return "file_mode:" + self.path

    def touches(self):
        return {self.path: "mode"}

    def meet(self, own, held, path_of):
        if any(item is own for item in held):  # it is the file we changed, wherever a link leads by now
            self.path = own["resource"].partition(":")[2]

    def read(self):
        state = {"mode": None, "uid": None, "gid": None, "override": override_of(self._names())}
        if os.path.exists(self.path):
            info = os.stat(self.path)
            state.update(mode=durable.mode_text(info.st_mode), uid=info.st_uid, gid=info.st_gid)
        return state

    def capture(self, keeper):
        if not os.path.exists(self.path):
            raise ActionError("%s does not exist, so it has no mode to change" % self.given)
        return dict(self.read(), packaged_as=packaged_as(self._names()))

    def desired(self, prior):
        owner, group = self.params.get("owner"), self.params.get("group")
        wanted = {
            "mode": "%04o" % int(str(self.params["mode"]), 8),
            "uid": prior["uid"] if owner is None else id_of(owner, pwd.getpwnam, "pw_uid"),
            "gid": prior["gid"] if group is None else id_of(group, grp.getgrnam, "gr_gid"),
        }
        if prior.get("packaged_as"):
            wanted["override"] = "%s %s %s %s" % (
                name_of(wanted["uid"], pwd.getpwuid),
                name_of(wanted["gid"], grp.getgrgid),
                wanted["mode"].lstrip("0") or "0",
                prior["packaged_as"],
            )
        return wanted

    def apply(self, prior):
        self._become(self.desired(prior))

    def revert(self, prior, written):
        self._become({key: prior[key] for key in written})

    def halfway(self, key, prior, written):
        """Changing the owner clears setuid and setgid bits, until the mode is set."""
        modes = [prior["mode"], written["mode"]] if key == "mode" else []
        return ["%04o" % (int(mode, 8) & CLEARED_BY_CHOWN) for mode in modes]

    def _become(self, wanted):
        """The override first: from then on no reinstallation brings the old mode back."""
        now = self.read()
        if "override" in wanted and now["override"] != wanted["override"]:
            replace_override(now["override"], wanted["override"])
        if now["mode"] is None:
            return  # gone with its package: nothing to put back
        with durable.pinned(self.path) as pin:
            if (now["uid"], now["gid"]) != (wanted["uid"], wanted["gid"]):
                chown(pin, wanted["uid"], wanted["gid"])
            # also after chown, which clears setuid bits; a read-only file system refuses even the mode that is there
            if durable.mode_text(os.stat(pin).st_mode) != wanted["mode"]:
                os.chmod(pin, int(wanted["mode"], 8))

    def _names(self):
        """dpkg may know /usr/bin/x as /bin/x on merged-/usr hosts."""
        short = [self.path[len("/usr") :]] if self.path.startswith("/usr/") else []
        return list(dict.fromkeys([self.given, self.path] + short))

    def show(self, state):
        if state["mode"] is None:
            return "absent"
        owners = "%s:%s" % (name_of(state["uid"], pwd.getpwuid), name_of(state["gid"], grp.getgrgid))
        kept = ", kept by dpkg-statoverride" if state.get("override") else ""
        return "mode %s, owner %s%s" % (state["mode"], owners, kept)


def chown(path, uid, gid):
    """As chown(2), but file capabilities, which it clears, stay."""
    kept = durable.read_xattrs(path).get(CAPABILITIES)
    os.chown(path, uid, gid)
    if kept:
        durable.write_xattrs(path, {CAPABILITIES: kept})


def override_of(names):
    """The line of dpkg's own file, "owner group mode path", or None."""
    try:
        lines = durable.read_bytes(os.path.join(ADMINDIR, "statoverride")).decode("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return next((line for line in lines if line.split(" ", 3)[-1] in names), None)


def packaged_as(names):
    """The name by which a dpkg package owns the file, or None. Where it is diverted, the package's own lies elsewhere."""
    if not os.path.isdir(os.path.join(ADMINDIR, "info")):
        return None
    told = execute(["dpkg-query", "--admindir=" + ADMINDIR, "--search"] + names).stdout.splitlines()
    diversions = [line for line in told if line.startswith(("diversion by ", "local diversion "))]
    diverted = {line.partition(" from: ")[2] for line in diversions}
    owned = {line.partition(": ")[2] for line in told if line not in diversions} - diverted
    return next((name for name in names if name in owned), None)


def replace_override(old, new):
    tool = ["dpkg-statoverride", "--admindir=" + ADMINDIR]
    if old:
        must(tool + ["--remove", old.split(" ", 3)[3]])
    if new:
        must(tool + ["--add"] + new.split(" ", 3))


def id_of(name, lookup, field):
    if str(name).isdigit():
        return int(name)
    try:
        return getattr(lookup(name), field)
    except KeyError:
        raise ActionError("file_mode: no user or group %s on this host" % name)


def name_of(number, lookup):
    """dpkg-statoverride takes a number behind a hash."""
    try:
        return lookup(number)[0]
    except KeyError:
        return "#%d" % number
