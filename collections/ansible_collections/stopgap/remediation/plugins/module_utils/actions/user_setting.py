# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a user may do: groups, login shell, and a rule of sudo. One resource per user, one aspect per thing.

Aspects: "group:G" (in | out), "shell" (a path), "sudoers:RULE" (in place | what is wrong, None where there is no file).
For going back besides: "members:G", the group's members in their order; "times", the account files' hashes and times
from before the first of us.
"""

import os
import pwd
import re

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.command import must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

GROUP = "/etc/group"
GSHADOW = "/etc/gshadow"
ACCOUNTS = "/etc/passwd"
SHADOW = "/etc/shadow"
SUDOERS = "/etc/sudoers.d"
IN_PLACE = "in place"
TIMES = ("sha256", "mtime_ns", "atime_ns")


class UserSetting(Action):
    type = "user_setting"
    required = ("user",)

    def __init__(self, params):
        super(UserSetting, self).__init__(params)
        self.user, self.held, self.others = params["user"], [], []
        self.wanted = {"group:" + name: "in" for name in params.get("in_groups") or []}
        for name in params.get("not_in_groups") or []:
            if self.wanted.setdefault("group:" + name, "out") == "in":
                raise ActionError("user_setting: %s cannot be both in %s and not" % (self.user, name))
        if params.get("shell"):
            self.wanted["shell"] = params["shell"]
        if params.get("sudoers"):
            self.wanted["sudoers:" + params["sudoers"]] = IN_PLACE
        if not self.wanted:
            raise ActionError("user_setting: give in_groups, not_in_groups, shell or sudoers")

    @property
    def resource(self):
        return "user:" + self.user

    def meet(self, own, held, path_of):
        self.held = [item for item in held if item["resource"] == self.resource]
        self.others = [item for item in held if item["type"] == self.type]

    def read(self):
        """Also the aspects that others hold, since holders of one user are compared with it as one."""
        keys = set(self.wanted).union(*[item["written"] for item in self.held])
        return {key: self._look(key) for key in sorted(keys)}

    def capture(self, keeper):
        user = self._account()
        state = dict(self.read(), times=self._first_times())
        for key, value in self.wanted.items():
            kind, _colon, name = key.partition(":")
            if kind == "group":
                members = self._members_of(name)
                if value == "out" and user.pw_gid == gid_of(name):
                    raise ActionError("%s is %s's own group, which nobody can be taken out of" % (name, self.user))
                state["members:" + name] = members if members == members_in(GSHADOW, name, members) else None
            elif kind == "shell" and not os.access(value, os.X_OK):
                raise ActionError("%s is no program on this host, so it cannot be %s's shell" % (value, self.user))
            elif kind == "sudoers" and state[key] not in (None, IN_PLACE) and not self._is_held(key):
                raise ActionError("%s is there and not as we would write it: take it away first" % self._drop_in(name))
        return state

    def desired(self, prior):
        return dict(self.wanted)

    def apply(self, prior):
        self._become(self.wanted, prior)

    def revert(self, prior, written):
        self._become({key: prior.get(key) for key in written}, prior)
        put_times_back(prior.get("times") or {})

    def merge(self, prior, written, current):
        """A drop-in with our name has no word of theirs to come back to."""
        merged = super(UserSetting, self).merge(prior, written, current)
        return dict(merged, **{key: prior.get(key) for key in written if key.startswith("sudoers:")})

    def secrets(self, prior):
        """Files of sudo are not for everybody."""
        rules = [key.partition(":")[2] for key in prior if key.startswith("sudoers:")]  # handed up by others, too
        return rules + ([self.params["sudoers"]] if self.params.get("sudoers") else [])

    def show(self, state):
        return ", ".join(
            "%s %s" % (told(key), state[key] or "absent")
            for key in sorted(state)
            if key != "times" and not key.startswith("members:")
        )

    def _first_times(self):
        """All users share these files, so the first holder of any user saw them as they were."""
        known = [item["prior"]["times"] for item in self.others if item["prior"].get("times")]
        return known[0] if known else {path: times_of(path) for path in (ACCOUNTS, SHADOW, GROUP, GSHADOW)}

    # -- each kind of aspect

    def _is_held(self, key):
        return any(key in item["written"] for item in self.held)

    def _look(self, key):
        kind, _colon, name = key.partition(":")
        if kind == "group":
            return self._membership(name)
        if kind == "shell":
            try:
                return pwd.getpwnam(self.user).pw_shell
            except KeyError:
                return None
        return rule_state(self._drop_in(name), name)

    def _become(self, wanted, prior):
        for key in sorted(wanted):
            kind, _colon, name = key.partition(":")
            if self._look(key) in (wanted[key], None) and kind != "sudoers":
                continue
            if kind == "group":
                self._join(name, prior) if wanted[key] == "in" else must(["gpasswd", "-d", self.user, name])
            elif kind == "shell":
                must(["usermod", "--shell", wanted[key], self.user])
            else:
                self._rule(name, wanted[key])

    def _join(self, group, prior):
        """In the place where it was, if nobody else came or went."""
        before, now = prior.get("members:" + group) or [], self._members_of(group)
        if self.user in before and [name for name in before if name != self.user] == now:
            must(["gpasswd", "-M", ",".join(before), group])
        else:
            must(["gpasswd", "-a", self.user, group])

    def _rule(self, rule, wanted):
        path = self._drop_in(rule)
        if wanted is None:
            durable.discard(durable.temporary(path))
            durable.discard(path)
            durable.sync_folder(SUDOERS)
        elif rule_state(path, rule) != IN_PLACE:
            if not os.path.isdir(SUDOERS):
                raise ActionError("there is no %s: install sudo first" % SUDOERS)
            state = {"mode": "0440", "uid": 0, "gid": 0}
            durable.write(path, text_of(rule), state, lambda draft: must(["visudo", "-c", "-f", draft]))
            if path not in must(["visudo", "-c"], rcs=(0, 1)):  # 1: it complains of another file
                raise ActionError(
                    "sudo does not read %s: have /etc/sudoers include it (@includedir %s)" % (path, SUDOERS)
                )

    def _drop_in(self, rule):
        """sudo reads no file with a dot in its name."""
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", self.user)
        return "%s/stopgap-%s-%s" % (SUDOERS, plain, durable.hash_of(text_of(rule))[:12])

    def _account(self):
        try:
            return pwd.getpwnam(self.user)
        except KeyError:
            raise ActionError(
                "there is no user %s on this host: make the user first, or leave this host out" % self.user
            )

    def _membership(self, group):
        """By the files that gpasswd writes; None where user or group is gone. The user's own group counts."""
        members = members_in(GROUP, group, None)
        if members is None:
            return None
        try:
            own = pwd.getpwnam(self.user).pw_gid == gid_of(group)
        except KeyError:
            return None
        return "in" if own or self.user in members else "out"

    def _members_of(self, group):
        members = members_in(GROUP, group, None)
        if members is None:
            raise ActionError("there is no group %s in %s: make it first, or leave this host out" % (group, GROUP))
        return members


def times_of(path):
    state = durable.snapshot(path)
    return {key: state[key] for key in TIMES} if state["kind"] == "file" else None


def put_times_back(times):
    """The tools write these files anew: one that reads as before us has its times of then."""
    for path, known in times.items():
        now = times_of(path)
        if known and now and now["sha256"] == known["sha256"] and now != known:
            os.utime(path, ns=(known["atime_ns"], known["mtime_ns"]))


def told(key):
    """A rule is told by its hash: files of sudo are not for everybody."""
    kind, _colon, name = key.partition(":")
    return "sudoers rule %s" % durable.hash_of(text_of(name))[:12] if kind == "sudoers" else key


def text_of(rule):
    return (rule + "\n").encode("utf-8")


def rule_state(path, rule):
    state = durable.snapshot(path)
    if state["kind"] == "absent":
        return None
    right = {"sha256": durable.hash_of(text_of(rule)), "mode": "0440", "uid": 0, "gid": 0}
    return IN_PLACE if all(state[key] == right[key] for key in right) else "changed"


def fields(path, group):
    """The fields of a group's line, or None."""
    try:
        lines = durable.read_bytes(path).decode("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    return next((line.split(":") for line in lines if line.split(":")[0] == group), None)


def members_in(path, group, default):
    found = fields(path, group)
    return default if found is None or len(found) < 4 else [name for name in found[3].split(",") if name]


def gid_of(group):
    return int(fields(GROUP, group)[2])
