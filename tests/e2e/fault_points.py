"""Runs on a lab host, with deaths.py beside it: kill an action at each of its moments, go on, and compare the host.

Input: {"item": …, "watch": [path], "ask": [argv], "every": n, "reads": [argv start], "crash_in": STATE}
Output: {"moments": n, "wrong": [what was not as before or after]}
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

HOME = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HOME)

from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal, in_force
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import mitigate
from deaths import changes, killed_at

BASE = "/run/stopgap-fault-points"
DEEDS = ("replace", "rename", "link", "symlink", "unlink", "mkdir", "rmdir", "chown", "truncate", "setxattr", "ioctl")


def main():
    asked = json.load(sys.stdin)
    host = Host(asked)
    print(json.dumps(host.try_all(asked["crash_in"])))


class Host:
    def __init__(self, asked):
        self.asked = asked
        mitigation = {"id": "m", "status": "valid", "ttl_seconds": 60, "persists": "always", "then": []}
        self.remedy = {"id": "CVE-1", "revision": 1, "mitigations": [dict(mitigation, actions=[asked["item"]])]}
        self.reads = [tuple(start) for start in asked["reads"]]

    def try_all(self, crash_in):
        wrong, before = [], self.seen()
        self.do("present")
        after = self.seen(times=False)
        self.do("absent")
        if self.seen() != before:
            return {"moments": 0, "wrong": ["without any kill: " + difference(before, self.seen())]}
        moment, killed = 1 - self.asked["every"], True
        while killed:
            moment += self.asked["every"]
            if crash_in == "absent":
                self.do("present")
            killed = killed_at(moment, lambda: self.do(crash_in), counts=self.counts)
            if moment % 2:
                self.do("present")
                if self.seen(times=False) != after:
                    wrong.append("%d, done again: %s" % (moment, difference(after, self.seen(times=False))))
            self.do("absent")
            if self.seen() != before:
                wrong.append("%d, lifted: %s" % (moment, difference(before, self.seen())))
            if any(in_force(entry) for entry in self.journal().entries()):
                wrong.append("%d: still in force" % moment)
            shutil.rmtree(BASE)
        return {"moments": moment, "wrong": wrong}

    def journal(self):
        return Journal(BASE + "/state", BASE + "/stopgap.fact")

    def do(self, state):
        result = mitigate(self.journal(), [self.remedy], state)[0][0]
        if result["state"] not in ("applied", "lifted", "none"):
            raise SystemExit("%s: %s" % (result["state"], result["reason"]))

    def counts(self, function, args):
        """What changes the host, and each write of the journal as one; no commands that only ask."""
        if function.__name__ == "Popen":
            argv = args[0]
            return "-s" not in argv and not any(tuple(argv[: len(start)]) == start for start in self.reads)
        return function.__name__ in DEEDS and changes(function, args)

    def seen(self, times=True):
        files = {path: facts(path, times) for path in sorted(self.watched())}
        said = [subprocess.run(argv, stdout=subprocess.PIPE).stdout.decode() for argv in self.asked["ask"]]
        return dict(files, **{" ".join(argv): text for argv, text in zip(self.asked["ask"], said)})

    def watched(self):
        for folder in self.asked["watch"]:
            if not os.path.isdir(folder):
                yield folder
            for top, folders, names in os.walk(folder):
                for name in folders + names:
                    yield os.path.join(top, name)


def facts(path, times):
    if not os.path.lexists(path):
        return "absent"
    info = os.lstat(path)
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return info.st_mode
    with open(path, "rb") as stream:
        content = hashlib.sha256(stream.read()).hexdigest()
    return [content, info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns if times else None]


def difference(wanted, found):
    keys = [key for key in sorted(set(wanted) | set(found)) if wanted.get(key) != found.get(key)]
    return "; ".join("%s is %s, not %s" % (key, found.get(key), wanted.get(key)) for key in keys)


if __name__ == "__main__":
    main()
