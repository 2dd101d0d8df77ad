# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The host's own record of what was changed and how to take it back (contracts §4).

Nothing on a host changes before `write` has returned for it: that call is on disk when it returns.
"""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import shutil
import time
import uuid

from ansible_collections.stopgap.remediation.plugins.module_utils import durable, orphans
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError

BASE = "/var/lib/stopgap"
FACTS = "/etc/ansible/facts.d/stopgap.fact"
OVER = ("lifted", "undone")
LOCK_WAIT = 10
KEPT = 100  # entries that are over
FORMAT = 1
# all that is read of an entry, of a line of its history, of an action, and of one that has been begun
KEYS = {"entry", "remedy", "revision", "mitigation", "state", "history", "then", "actions"}
KEYS |= {"owner", "reason", "ttl_seconds", "expires_at", "persists"}
LINE = {"state", "at"}
ACTION = {"type", "params", "state", "changed"}
BEGUN = {"resource", "order", "prior", "written", "restored"}
UNTOUCHED = "nothing will be changed on this host"


class Journal(object):
    read_only = False

    def __init__(self, base=BASE, facts=FACTS, lock_wait=LOCK_WAIT):
        self.base = base
        self.facts = facts
        self.folder = os.path.join(base, "journal")
        self.lock_wait = lock_wait
        self.foretold = {}  # {resource: its aspects as a run would have left them}; only check mode writes there

    def entries(self):
        """Every entry, oldest first. Entries are replaced whole, so reading needs no lock."""
        with explained("read", self.base):
            try:
                names = sorted(os.listdir(self.folder))
            except FileNotFoundError:
                return []
            paths = [os.path.join(self.folder, name, "entry.json") for name in names]
            # a folder without an entry is what a run killed before its first write leaves: nothing was done
            return sorted((load_entry(path) for path in paths if os.path.exists(path)), key=opened_at)

    @contextlib.contextmanager
    def locked(self):
        """Hold the journal for changes. JournalError where it cannot be written or another run holds it."""
        with explained("write", self.base):
            durable.make_folders(self.base)
            for folder in (self.base, self.folder):
                self._make_folder(folder)
                os.chmod(folder, 0o700)
            lock = os.open(os.path.join(self.base, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(lock)
            with explained("write", self.base):
                durable.write(os.path.join(self.base, "writable"), b"tried before every change\n", {"mode": "0600"})
            with orphans.noted(lock):
                yield self
        finally:
            os.close(lock)

    def write(self, entry):
        with explained("write", self.base):
            self._make_folder(self._of(entry))
            durable.write(os.path.join(self._of(entry), "entry.json"), as_json(entry), {"mode": "0600"})

    def record(self, entry, state, reason=None):
        """Write the entry with a new state, its moment and, where somebody gave one, the reason."""
        item = dict({"state": state, "at": now()}, **({"reason": reason} if reason else {}))
        later = dict(entry, state=state, history=entry["history"] + [item])
        self.write(later)
        entry.update(later)  # only now: what is not on disk has not happened

    def save(self, entry, path, data=None):
        """Keep a copy of a file before it is changed, or of `data`; returns its name below the journal."""
        with explained("write", self.base):
            folder = os.path.join(self._of(entry), "saved")
            self._make_folder(self._of(entry))
            self._make_folder(folder)
            taken = [int(known) for known in os.listdir(folder) if known.isdigit()]
            name = "%s/saved/%d" % (entry["entry"], 1 + max(taken or [-1]))
            if data is None:
                durable.copy(path, self.path_of(name), {"mode": "0600"})
            else:
                durable.write(self.path_of(name), data, {"mode": "0600"})
            return name

    def path_of(self, saved):
        return os.path.join(self.folder, saved)

    def publish(self):
        """Rewrite the local fact. It is a view: where it cannot be written, the next change tries again."""
        fact = as_json({"mitigations": [fact_of(entry) for entry in self.entries() if in_force(entry)]})
        with contextlib.suppress(FileNotFoundError):
            if durable.read_bytes(self.facts) == fact:
                return
        durable.make_folders(self.facts)
        durable.write(self.facts, fact, {"mode": "0644"})

    def tidy(self):
        """Forget the oldest entries that are over, and every saved copy that no way back needs.

        A holder that took over from a lifted one goes back to a copy in the lifted one's folder.
        """
        entries = self.entries()
        over = [entry for entry in entries if not in_force(entry)]
        held = copies_named([entry for entry in entries if in_force(entry)])
        needed = held | copies_named([action.get("overwritten") for entry in over for action in entry["actions"]])
        kept = {entry["entry"] for entry in entries} - {entry["entry"] for entry in over[: max(0, len(over) - KEPT)]}
        kept |= {name.partition("/")[0] for name in held}
        for name in sorted(os.listdir(self.folder)):
            if name not in kept:
                shutil.rmtree(os.path.join(self.folder, name))
            else:
                self._drop_copies(name, needed)

    def _drop_copies(self, name, needed):
        folder = os.path.join(self.folder, name, "saved")
        for copy in os.listdir(folder) if os.path.isdir(folder) else []:
            if "%s/saved/%s" % (name, copy) not in needed:
                os.unlink(os.path.join(folder, copy))

    def _of(self, entry):
        return os.path.join(self.folder, entry["entry"])

    def _make_folder(self, folder):
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            durable.sync_folder(os.path.dirname(folder))

    def _wait_for(self, lock):
        """Until no other run holds the lock, and no command of a killed one still works."""
        deadline = time.monotonic() + self.lock_wait
        while True:
            working = "another run holds %s/lock" % self.base
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                orphan = orphans.alive(lock)
                if orphan is None:
                    return
                working = "a run was killed, but its command still works (process %s: %s)" % orphan
            if time.monotonic() > deadline:
                raise JournalError("%s: nothing was changed, try again when it has ended" % working)
            time.sleep(0.1)


class ReadOnlyJournal(Journal):
    """For check mode: takes no lock and keeps every change to itself."""

    read_only = True

    @contextlib.contextmanager
    def locked(self):
        yield self

    def write(self, entry):
        pass

    def save(self, entry, path, data=None):
        return None

    def publish(self):
        pass

    def tidy(self):
        pass


def copies_named(told):
    """The names of all saved copies that are mentioned in it."""
    return set(re.findall(r'"([^"/]+/saved/\d+)"', json.dumps(told)))


def new_entry(remedy, mitigation, owner, reason):
    return {
        "format": FORMAT,
        "entry": "%s-%s" % (now("%Y%m%dT%H%M%SZ"), uuid.uuid4().hex[:8]),
        "remedy": remedy["id"],
        "revision": remedy["revision"],
        "mitigation": mitigation["id"],
        "state": None,
        "history": [],
        "owner": owner,
        "reason": reason,
        "ttl_seconds": mitigation.get("ttl_seconds"),
        "expires_at": None,
        "persists": mitigation.get("persists", "always"),
        "then": mitigation.get("then", []),
        "actions": [
            {"type": item["type"], "params": item["params"], "state": "pending", "changed": False}
            for item in mitigation["actions"]
        ],
    }


def in_force(entry):
    return entry["state"] not in OVER


def fact_of(entry):
    applied = [item["at"] for item in entry["history"] if item["state"] == "applied"]
    fact = {key: entry[key] for key in ("remedy", "mitigation", "entry", "state", "expires_at")}
    return dict(fact, applied_at=applied[-1] if applied else None)


def opened_at(entry):
    return entry["history"][0]["at"], entry["entry"]


def now(layout="%Y-%m-%dT%H:%M:%S.%fZ", seconds_ahead=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_ahead)
    return moment.strftime(layout)


def as_json(value):
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode("utf-8")


def load_entry(path):
    """JournalError for what is no entry, or one that only a newer version understands."""
    entry = load(path)
    if isinstance(entry, dict) and entry.get("format", FORMAT) != FORMAT:
        raise JournalError("%s was written by a newer version than this: %s by an older one" % (path, UNTOUCHED))
    if not is_entry(entry):
        raise damaged(path, "it is no entry")
    return entry


def is_entry(entry):
    if not (has(entry, KEYS) and all(isinstance(entry[key], list) for key in ("history", "then", "actions"))):
        return False
    begun = [action for action in entry["actions"] if has(action, ACTION) and action["state"] != "pending"]
    return (
        bool(entry["history"])
        and all(has(line, LINE) for line in entry["history"])
        and all(has(action, ACTION) for action in entry["actions"])
        and all(has(action, BEGUN) for action in begun)
    )


def has(item, keys):
    return isinstance(item, dict) and keys <= set(item)


def load(path):
    try:
        return json.loads(durable.read_bytes(path).decode("utf-8"))
    except ValueError as error:
        raise damaged(path, error)


def damaged(path, why):
    return JournalError("%s is damaged (%s): %s until it is mended" % (path, why, UNTOUCHED))


@contextlib.contextmanager
def explained(verb, base):
    """Turn what the system says about the journal into a sentence with the way out."""
    try:
        yield
    except JournalError:
        raise
    except OSError as error:
        hint = HINTS.get(error.errno, "")
        raise JournalError("cannot %s the journal in %s: %s%s" % (verb, base, error.strerror or error, hint))


HINTS = {
    errno.EACCES: " (it is root's: is become on?)",
    errno.EPERM: " (it is root's: is become on?)",
    errno.ENOSPC: " (make room first: nothing is changed that could not be taken back)",
    errno.EDQUOT: " (make room first: nothing is changed that could not be taken back)",
    errno.EROFS: " (the file system is read-only)",
}
