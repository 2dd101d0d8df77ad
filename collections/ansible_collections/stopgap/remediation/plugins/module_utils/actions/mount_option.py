# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Options of a mounted file system, now and in fstab.

The line in fstab is one edit among others (editing.py). A live option is on as long as anybody holds it: aspects
"live:OPTION" (on | off, None where nothing is mounted), whose prior is what was there before the first holder.
"""

import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.editing import Edit
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import OPPOSITE, lines_of, places_of_mount
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

FSTAB = "/etc/fstab"
PROC = "/proc"
MOUNTINFO = "/proc/self/mountinfo"
NAMED = 3  # of the processes that still have it otherwise
LIVE = "live:"


class MountOption(Edit):
    type = "mount_option"
    required = ("path", "options")

    def __init__(self, params):
        super(MountOption, self).__init__(params)
        self.point = os.path.normpath(params["path"])
        self.options = params["options"]
        strange = [name for name in self.options if name not in OPPOSITE]
        if strange:
            raise ActionError(
                "mount_option: what takes %s back is not known; known are %s"
                % (", ".join(strange), ", ".join(sorted(OPPOSITE)))
            )

    @staticmethod
    def file_of(params):
        return FSTAB

    @property
    def name(self):
        return "%s %s" % (self.point, ",".join(self.options))

    @property
    def done(self):
        return "%s has %s" % (self.point, ",".join(self.options))

    def places(self, lines):
        return places_of_mount(lines, self.params)

    def read(self):
        """While it is taken back, what others still hold is as it was for us."""
        state, now = super(MountOption, self).read(), mounted(self.point)
        for option in self.options:
            value = None if now is None else "on" if option in now["options"] else "off"
            back = self.own and (self.taking_back or self.own["state"] == "reverting")
            state[LIVE + option] = self.own["prior"][LIVE + option] if back and self._others(option) else value
        return state

    def capture(self, keeper):
        if mounted(self.point) is None:
            raise ActionError("%s is not a mount point: give the path where a file system is mounted" % self.point)
        state = super(MountOption, self).capture(keeper)
        now = MountOption.read(self)
        for option in self.options:
            others = self._others(option)
            state[LIVE + option] = others[0]["prior"][LIVE + option] if others else now[LIVE + option]
        return state

    def desired(self, prior):
        return dict({LIVE + option: "on" for option in self.options}, edit=self.done)

    def apply(self, prior):
        super(MountOption, self).apply(prior)
        self._remount(self.options)

    def revert(self, prior, written):
        super(MountOption, self).revert(prior, written)
        free = [option for option in self.options if prior[LIVE + option] == "off" and not self._others(option)]
        self._remount([OPPOSITE[option] for option in free])

    def warning(self):
        names = sorted(otherwise(self.point, self.options))
        told = ", ".join(names[:NAMED]) + (" and %s more" % (len(names) - NAMED) if len(names) > NAMED else "")
        return (
            "%s began before, with a mount table of their own: there %s is as it was" % (told, self.point)
            if names
            else ""
        )

    def show(self, state):
        return ", ".join("%s %s" % (option, state[LIVE + option]) for option in self.options)

    def _is_gone(self):
        """Neither mounted nor in fstab any more: nobody wants the line of a disk back that was taken away."""
        if super(MountOption, self)._is_gone():
            return True
        return mounted(self.point) is None and not self.places(lines_of(durable.read_bytes(self.path)))

    def _others(self, option):
        """Other holders of the same option of the same mount, lowest first."""
        return [
            item
            for item in self.held
            if item is not self.own and item["type"] == self.type and LIVE + option in item["prior"]
            if os.path.normpath(item["params"]["path"]) == self.point
        ]

    def _remount(self, wanted):
        """With all options it has: given device and path, mount takes nothing from fstab."""
        now = mounted(self.point)
        if now is None or all(in_effect(option, now["options"]) for option in wanted):
            return
        gone = {other for option in wanted for other in (option, OPPOSITE.get(option), positive(option))}
        options = [option for option in now["flags"] if option not in gone] + wanted
        must(["mount", "-o", ",".join(now["how"] + options), now["source"], self.point])

    def _snapshot(self):
        lines = lines_of(durable.read_bytes(FSTAB)) if os.path.exists(FSTAB) else []
        if not places_of_mount(lines, self.params):
            raise ActionError(
                "%s has no line in %s, so it would lose the options at the next boot: give it one, or write the options "
                "of its systemd mount unit with `file`" % (self.point, FSTAB)
            )
        return super(MountOption, self)._snapshot()


def positive(option):
    """exec -> noexec: what has to go where the option is the harmless one."""
    return next((name for name, other in OPPOSITE.items() if other == option), None)


def in_effect(option, options):
    """A harmless option is in effect where its opposite is not: it is never listed, but for rw."""
    return positive(option) not in options if positive(option) else option in options


def mounted(point):
    """{source, how, flags: options of the mount, options: those and the file system's}, or None. The last one is on top.

    `how` an option is changed: of the mount alone where it shows a part of its file system, whose other parts are none of
    our business, or is writable on one that is read-only, which it would make writable.
    """
    found = None
    for row in rows(MOUNTINFO):
        if row["point"] == point:
            alone = row["root"] != "/" or ("rw" in row["flags"] and "ro" in row["beneath"])
            found = dict(row, how=["remount", "bind"] if alone else ["remount"])
    return found


def rows(path):
    """The mounts of a table (proc(5), mountinfo), lowest first."""
    for line in durable.read_bytes(path).decode("utf-8", "surrogateescape").splitlines():
        words = line.split(" ")
        rest = words[words.index("-") + 1 :]
        flags, beneath = words[5].split(","), rest[2].split(",")
        yield {
            "device": words[2],
            "root": words[3],
            "point": unescaped(words[4]),
            "source": unescaped(rest[1]),
            "flags": flags,
            "beneath": beneath,
            "options": flags + beneath,
        }


def otherwise(point, options):
    """One process, as `nginx (67)`, of each mount table of a service's own in which the options are not in effect."""
    ours, known = mounted(point), {os.readlink(os.path.join(PROC, "self/ns/mnt"))}
    for pid in filter(str.isdigit, os.listdir(PROC) if ours else []):
        try:
            table = os.readlink(os.path.join(PROC, pid, "ns/mnt"))
            if table in known:
                continue
            known.add(table)
            shown = [row for row in rows(os.path.join(PROC, pid, "mountinfo")) if is_part(row, ours)]
            if any(not in_effect(option, row["options"]) for row in shown for option in options):
                yield "%s (%s)" % (
                    durable.read_bytes(os.path.join(PROC, pid, "comm")).decode("utf-8", "replace").strip(),
                    pid,
                )
        except OSError:  # ended since it was listed
            continue


def is_part(row, ours):
    inside = (row["root"].rstrip("/") + "/").startswith(ours["root"].rstrip("/") + "/")
    return row["device"] == ours["device"] and inside


def unescaped(text):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
