# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A member taken out of Java archives, nested ones too: a class that must not be loaded.

The state says for each of `paths` which archives below it have the member, and nothing where none has. Beside that, for each archive that was
changed, `was:ARCHIVE` has what it takes to come back, and the hash of what we write.
"""

import hashlib
import os

from ansible_collections.stopgap.remediation.plugins.module_utils import archives, durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

ARCHIVES = ["*.jar", "*.war", "*.ear"]
PROC = "/proc"


class ArchiveMember(Action):
    type = "archive_member"
    required = ("paths", "member")

    def __init__(self, params):
        super(ArchiveMember, self).__init__(params)
        self.member = params["member"].strip("/")
        self.paths = sorted({os.path.normpath(path) for path in params["paths"]})
        self.patterns = params.get("archives") or ARCHIVES
        self.replaced, self.signed, self.left = [], [], []
        if not all(os.path.isabs(path) for path in self.paths):
            raise ActionError("archive_member: not all of %s are absolute paths" % ", ".join(self.paths))

    @property
    def resource(self):
        """Whatever the paths: they may overlap with those of another remedy."""
        return "archive_member:" + self.member

    def read(self):
        found = self._scan()["found"]
        below = {}
        for path in self.paths:
            root = os.path.realpath(path)
            below["below:" + path] = sorted(name for name in found if archives.is_below(name, root))
        return {key: names for key, names in below.items() if names}

    def capture(self, keeper):
        state = self.read()
        for path in archives_of(state):
            was = dict(durable.snapshot(path), planned=self._planned(path))
            state.update({"was:" + path: was, "saved:" + path: keeper.save(path, sha256=was["sha256"])})
        return state

    def desired(self, prior):
        return {"below:" + path: None for path in self.paths}

    def apply(self, prior):
        for key in sorted(key for key in prior if key.startswith("was:")):
            tidy(key.partition(":")[2])  # after a run that was killed
        for path in archives_of(self.read()):
            self._strip(path, prior.get("was:" + path))

    def revert(self, prior, written):
        """An archive that somebody has replaced or removed since is not the one we changed: it stays as it is."""
        for key in sorted(key for key in prior if key.startswith("was:")):
            path, was = key.partition(":")[2], prior[key]
            tidy(path)
            now = durable.snapshot(path)["sha256"] if is_at_home(path) else None
            if now == was["planned"]:
                durable.restore(path, was, prior["saved:" + path], os.path.dirname(path))
                now = durable.hash_file(path)
            if now != was["sha256"]:
                self.left.append(path)

    def spared(self, prior, written, current):
        """Which archives there are is for others to decide, and `revert` looks at each that was changed."""
        return [key for key in written if key.startswith("below:")]

    def merge(self, prior, written, current):
        both = {
            key: sorted(set(prior.get(key) or []) | set(current[key])) for key in current if key.startswith("below:")
        }
        return dict(prior, **dict(current, **both))

    def show(self, state):
        found = archives_of(state)
        more = ", and %d more" % (len(found) - 3) if len(found) > 3 else ""
        return "in %s%s" % (", ".join(found[:3]), more) if found else "in no archive"

    def text(self, state):
        return "".join("%s has %s\n" % (path, self.member) for path in archives_of(state))

    def warning(self):
        told = []
        if self.signed:
            told.append("signed, and the signature is broken now: %s" % ", ".join(self.signed))
        held = holders(self.replaced)
        if held:
            told.append("still open in its old form, so restart: %s" % ", ".join(held))
        outside = self._scan()["outside"]
        if outside:
            pairs = ", ".join("%s (to %s)" % pair for pair in sorted(outside.items()))
            told.append("leads out of `paths` to an archive that has it, so name that too: %s" % pairs)
        return "; ".join(told)

    def left_alone(self):
        return "replaced since, and left as it is: %s" % ", ".join(self.left) if self.left else ""

    def _scan(self):
        """ActionError where an archive cannot be read: what cannot be told is not clean."""
        result = archives.scan(self.paths, self.member, self.patterns)
        if result["unreadable"]:
            told = ["%s (%s)" % pair for pair in sorted(result["unreadable"].items())]
            raise ActionError(
                "cannot tell whether %s is in %s: mend or move what is broken, or name narrower `paths` or `archives`"
                % (self.member, "; ".join(told[:3]) + ("; and %d more" % (len(told) - 3) if told[3:] else ""))
            )
        result["found"] = {path: places for path, places in result["found"].items() if path not in result["outside"]}
        return result

    def _planned(self, path):
        sink = Hashing()
        self._write_stripped(path, sink)
        return sink.hash.hexdigest()

    def _strip(self, path, was):
        now = durable.snapshot(path)
        if was is None or was["sha256"] != now["sha256"]:
            raise ActionError("%s was put there just now, by somebody else: run this again" % path)
        keep = {key: now[key] for key in ("mode", "uid", "gid", "xattrs")}
        with durable.replacing(path, keep, folder=os.path.dirname(path)) as stream:
            signed = self._write_stripped(path, stream)
            self._prove(stream, path, was["planned"])
        self.replaced.append(path)
        self.signed += [path] if signed else []

    def _prove(self, stream, path, planned):
        """What was read a second time may be another file by then, and not its owner's, who does not have it yet."""
        stream.flush()
        if durable.hash_file("/proc/self/fd/%d" % stream.fileno()) != planned:
            raise ActionError("%s was changed just now, by somebody else: run this again" % path)

    def _write_stripped(self, path, target):
        try:
            with open(path, "rb", opener=archives.without_waiting) as source:
                return archives.strip(source, target, self.member, self.patterns)
        except archives.Unreadable as error:
            raise ActionError("%s cannot be written without %s: %s" % (path, self.member, error))


class Hashing(object):
    """Where bytes go that are only counted and hashed."""

    def __init__(self):
        self.hash, self.size = hashlib.sha256(), 0

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)

    def tell(self):
        return self.size


def is_at_home(path):
    """Is its folder the one that was found? What is found has no link above it: `paths` are resolved first."""
    return os.path.realpath(os.path.dirname(path)) == os.path.dirname(path)


def tidy(path):
    if is_at_home(path):
        durable.discard(durable.temporary(path), os.path.dirname(path))


def archives_of(state):
    return sorted({path for key in state if key.startswith("below:") for path in state[key] or []})


def holders(paths):
    """["java (pid 7): /opt/a.war"] for processes that have the file open, or mapped, that lay there before."""
    gone = {path + " (deleted)": path for path in paths}
    found = []
    for pid in sorted((name for name in os.listdir(PROC) if name.isdigit()), key=int) if gone else []:
        held = sorted({gone[name] for name in opened_by(pid) if name in gone})
        if held:
            found.append("%s (pid %s): %s" % (name_of(pid), pid, ", ".join(held)))
    return found


def opened_by(pid):
    """Open files and mapped ones; none of a process that has ended."""
    folder = os.path.join(PROC, pid, "fd")
    try:
        names = {target_of(os.path.join(folder, number)) for number in os.listdir(folder)}
        with open(os.path.join(PROC, pid, "maps"), errors="surrogateescape") as stream:
            return names | {line.rstrip("\n").split(None, 5)[-1] for line in stream}
    except OSError:
        return set()


def target_of(link):
    try:
        return os.readlink(link)
    except OSError:  # closed since it was listed
        return None


def name_of(pid):
    try:
        with open(os.path.join(PROC, pid, "comm"), errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return "process"
