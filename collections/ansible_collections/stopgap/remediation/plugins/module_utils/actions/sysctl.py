# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A kernel setting: live in /proc/sys, and in a file so that a boot does not undo it."""

import glob
import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

PROC = "/proc/sys"
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
LAST = "/etc/sysctl.conf"
# what is set for all interfaces may be set for each of them, too; ip_forward is the same setting by another name
OF_ALL = re.compile(r"net/(ipv[46])/conf/(?:all|default)/(\w+)$")
ALIASES = {"net/ipv4/ip_forward": "net/ipv4/conf/all/forwarding"}
WITH_IT = {"forwarding": ["accept_redirects"]}  # which a router does not take


class Sysctl(Action):
    type = "sysctl"
    required = ("name", "value")

    def __init__(self, params):
        super(Sysctl, self).__init__(params)
        self.key = as_path(params["name"])
        self.value = " ".join(str(params["value"]).split())
        path = params.get("file") or "%s/90-stopgap-%s.conf" % (FOLDERS[0], params["name"].replace("/", "."))
        self.file = File({"path": path, "content": "%s = %s\n" % (params["name"], self.value)})
        self.others = []

    @property
    def resource(self):
        return "sysctl:" + self.key.replace("/", ".")

    def touches(self):
        return self.file.touches()

    @property
    def live(self):
        return os.path.join(PROC, self.key)

    def meet(self, own, held, path_of):
        self.others = [item for item in held if item is not own and item["resource"] == self.resource]

    def read(self):
        return dict(self.file.read(), value=self._read_live())

    def capture(self, keeper):
        if not os.path.exists(self.live):
            raise ActionError("this kernel has no sysctl %s" % self.params["name"])
        for place in {Sysctl(item["params"]).file.place for item in self.others} - {self.file.place}:
            raise ActionError(
                "%s is kept in %s by another mitigation: give the same `file`, or lift that one first"
                % (self.params["name"], place)
            )
        besides = [name for name, _value in settings(self.file.path) if key_of(name) != self.key]
        if besides:
            raise ActionError(
                "%s sets %s too, which the next boot would not set any more: give %s a `file` of its own"
                % (self.file.path, besides[0], self.params["name"])
            )
        return dict(self.file.capture(keeper), value=self._read_live(), along=values_of(companions(self.key)))

    def desired(self, prior):
        return dict(self.file.desired(prior), value=self.value)

    def apply(self, prior):
        """Interfaces follow what is set for all; what else the kernel changes with it stays as it was."""
        self.file.apply(prior)
        along = prior.get("along", {})
        self._write_live(self.value, {key: along[key] for key in along if not key.endswith("/" + name_of(self.key))})

    def revert(self, prior, written):
        self.file.revert(prior, written)
        if self._read_live() not in (None, prior["value"]):
            self._write_live(prior["value"], prior.get("along", {}))

    def spared(self, prior, written, current):
        """The fix is another kernel, and that one may not have the key."""
        return ["value"] if current["value"] is None else []

    def left_alone(self):
        gone = self._read_live() is None
        return (
            "this kernel has no sysctl %s any more, so only its file was put back" % self.params["name"] if gone else ""
        )

    def merge(self, prior, written, current):
        merged = self.file.merge(prior, {key: written[key] for key in written if key != "value"}, current)
        theirs = current["value"] != written.get("value", current["value"])
        return dict(merged, value=current["value"] if theirs else prior["value"], along=prior.get("along", {}))

    def show(self, state):
        return "%s, file %s" % (state["value"], self.file.show(state))

    def text(self, state):
        return "live: %s\n%s" % (state["value"], self.file.text(state))

    def warning(self):
        """A file read later wins at the next boot."""
        last = [path for path in read_at_boot() if sets(path, self.key) is not None][-1:]
        again = [path for path in last if sets(path, self.key) != self.value]
        return "%s sets %s again at boot" % (again[0], self.params["name"]) if again else ""

    def _read_live(self):
        return value_of(self.key)

    def _write_live(self, value, kept):
        """`kept`: {key: value} of what shall not change along, as far as it does."""
        before = values_of(kept)
        write_value(self.key, value)
        for key, after in values_of(before).items():
            if after != before[key]:
                write_value(key, kept[key])


def value_of(key):
    """None where the key is gone, as with the module or the interface it came from."""
    try:
        with open(os.path.join(PROC, key)) as stream:
            return " ".join(stream.read().split())
    except FileNotFoundError:
        return None


def values_of(keys):
    found = {key: value_of(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def write_value(key, value):
    """Without truncating first: the kernel takes whole values, and there is no moment with none."""
    try:
        with open(os.path.join(PROC, key), "rb+", buffering=0) as stream:
            stream.write((value + "\n").encode("utf-8"))
    except OSError as error:
        raise ActionError("the kernel refuses %s = %s: %s" % (key.replace("/", "."), value, error.strerror))


def companions(key):
    """Settings that the kernel may change along with one: what holds for all interfaces is set for each of them."""
    found = OF_ALL.match(ALIASES.get(key, key))
    if not found:
        return []
    folder = os.path.join(PROC, "net", found.group(1), "conf", "*")
    names = [found.group(2)] + WITH_IT.get(found.group(2), [])
    paths = [os.path.relpath(path, PROC) for name in names for path in glob.glob(os.path.join(folder, name))]
    return [path for path in paths if path != key]


def name_of(key):
    return os.path.basename(ALIASES.get(key, key))


def as_path(name):
    """As sysctl(8): the first separator says which it is; eth0.1 is written eth0/1 in a dotted name."""
    first = next((char for char in name if char in "./"), "/")
    path = name if first == "/" else name.translate(str.maketrans("./", "/."))
    if ".." in path.split("/") or path.startswith("/"):
        raise ActionError("sysctl: %s is not a name" % name)
    return path


def read_at_boot():
    """Configuration files in the order they are read: by name over all folders, an earlier folder's first."""
    by_name = {}
    for folder in reversed(FOLDERS):
        by_name.update((os.path.basename(path), path) for path in glob.glob(folder + "/*.conf"))
    return [by_name[name] for name in sorted(by_name)] + [LAST]


def key_of(name):
    """Of a line in a file, whatever stands there; sysctl(8) takes /net/ipv4/x too."""
    try:
        return as_path(name.strip().lstrip("-").lstrip("/"))
    except ActionError:
        return None


def sets(path, key):
    """The value a configuration file gives the key, or None."""
    values = [text for name, text in settings(path) if key_of(name) == key]
    return " ".join(values[-1].split()) if values else None


def settings(path):
    """[(name, value)] of a configuration file, as they stand there; a name without a value is none."""
    try:
        with open(path, errors="replace") as stream:
            lines = [line.strip() for line in stream]
    except OSError:
        return []
    parts = [line.partition("=") for line in lines if not line.startswith(("#", ";"))]
    return [(name.strip(), text) for name, found, text in parts if found]
