# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""What the callback remembers of a play, and whose word the events are. No Ansible in here: plain values in and out."""

from __future__ import annotations

import getpass
import os
import re

from ansible_collections.stopgap.remediation.plugins.plugin_utils import events
from ansible_collections.stopgap.remediation.plugins.plugin_utils.bounds import clean

NO_HELP = ("mitigation_lost", "mitigation_withdrawn")  # codes: whatever checks say, it gets no more time
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Witness(object):
    """Hears results and gives complete events. host, actor, run, origin and estate are the controller's word."""

    def __init__(self, run, actor, origin, about_of=None):
        """about_of: host name -> what the inventory says of it (contracts, section 6)."""
        self.run = run
        self.actor = clean(actor, 255) or "unknown"
        self.origin = origin
        self.asked = {}  # remedies of the play: {id: revision}
        self.ever_asked = False
        self.hosts = None  # names of the play's hosts so far; None where nobody said
        self.due = {}  # {host: ids} where the play asks each host for some of them only; else empty
        self.silent = {}  # unreachable hosts: {host: why}
        self._play = None
        self._entries = {}  # (host, remedy, mitigation) -> the journal entry heard of in this run
        self._told_silent = set()
        self._about_of = about_of
        self._told_known = set()
        self._lost = set()  # (host, remedy) where the host says that the mitigation in its journal is no help

    def begin_play(self, play, hosts, due):
        """What an earlier play of the run was about is no question to the hosts of this one. Each batch of a play begins it."""
        if play != self._play:
            self._play, self.asked, self.hosts = play, {}, set()
        self.hosts |= hosts
        self.due = due

    def hear_remedies(self, remedies):
        """The resolved remedies of the play, before any host was asked."""
        self._ask(ids_of(remedies))

    def _ask(self, remedies):
        self.asked.update(remedies)
        self.ever_asked = self.ever_asked or bool(remedies)

    def hear_knowledge(self, told):
        """What the catalogue says of the play's remedies, once a run."""
        known = {event["id"]: event for event in map(events.known, events._dicts(told, None)) if event}
        fresh = [event for name, event in known.items() if name not in self._told_known]
        self._told_known.update(known)
        return [self._signed(event, at=events.now(), estate="", host="") for event in fresh]

    def hear(self, action, host, estate_of, result, asked=None, trouble="", wish=None):
        """estate_of: host name -> estate. trouble: why the task failed, "" where it did not. wish: see extension.py."""
        told = events.TELLERS[action](result, asked or self.asked, trouble)
        return [self._complete(one, str(one.get("host", host)), estate_of, wish) for one in told if one]

    def hear_silence(self, host, why, asked=None):
        self.silent[host] = why
        self._ask(asked or {})

    def silences(self, estate_of):
        """Unknown, once, for each remedy of the play on each host that could not be reached."""
        told = []
        for host, why in self.silent.items():
            for remedy, revision in self.asked.items():
                if self._is_meant(host, remedy) and (host, remedy) not in self._told_silent:
                    self._told_silent.add((host, remedy))
                    event = events.unknown(remedy, revision, "unreachable: %s" % why, "unreachable")
                    told.append(self._complete(event, host, estate_of))
        return told

    def _is_meant(self, host, remedy):
        """A host that is silent, maybe since an earlier play, is unknown in what it was to be asked, and in nothing else."""
        if self.hosts is not None and host not in self.hosts:
            return False
        return not self.due or remedy in self.due.get(host, ())

    def _complete(self, told, host, estate_of, wish=None):
        self._remember_entry(host, told)
        self._name_entry(host, told)
        estate = estate_of(host)
        at = told.get("at") or events.now()
        if wish and told["kind"] == "verified":
            self._extend(host, told, wish, at)
        entry = told.get("entry")
        name = events.journal_id(at, estate, host, entry, told["verdict"]) if entry else events.uuid7()
        if self._about_of and told["kind"] == "assessed":
            told["evidence"]["about"] = dict(self._about_of(host))  # all of it each time: what is not in it is over
        return self._signed(dict(told, id=name), at=at, estate=estate, host=host)

    def _signed(self, told, **word):
        keys = ("id", "remedy", "revision", "kind", "verdict", "reason", "evidence")
        said = {key: told[key] for key in keys}
        return dict(said, actor=self.actor, run=self.run, origin=self.origin, **word)

    def _extend(self, host, told, wish, at):
        """More time for a mitigation whose proof passes, and of which the host itself does not say that it is lost."""
        evidence = told["evidence"]
        proven = evidence.get("phase") == "mitigation" and told["verdict"] == "pass"
        named = evidence.get("mitigation")
        until = wish.until(told["remedy"], named, at) if proven and isinstance(named, str) else None
        if until and (host, told["remedy"]) not in self._lost:
            evidence.update(extends_to=until, extends_why=clean(wish.why, events.REASON_LIMIT))

    def _remember_entry(self, host, told):
        evidence = told["evidence"]
        if told["kind"] == "assessed":
            lost = evidence.get("code") in NO_HELP
            (self._lost.add if lost else self._lost.discard)((host, told["remedy"]))
        held = evidence.get("mitigation")
        if told["kind"] == "mitigation":
            self._remember(host, told["remedy"], held, evidence.get("entry"))
        if told["kind"] == "assessed" and isinstance(held, dict):
            self._remember(host, told["remedy"], held.get("id"), held.get("entry"))

    def _remember(self, host, remedy, mitigation, entry):
        if isinstance(mitigation, str) and isinstance(entry, str) and entry:
            self._entries[host, remedy, mitigation] = entry

    def _name_entry(self, host, told):
        """A proof is of one entry, not of a name that may be used again."""
        if told["kind"] == "verified" and told["evidence"].get("phase") == "mitigation":
            named = told["evidence"].get("mitigation")
            entry = self._entries.get((host, told["remedy"], named)) if isinstance(named, str) else None
            if entry:
                told["evidence"]["entry"] = entry


def ids_of(remedies):
    """{id: revision} of resolved remedies, of a list of ids, or of a comma string of ids."""
    if isinstance(remedies, str):
        remedies = [part.strip() for part in remedies.split(",")]
    found = {}
    for one in remedies if isinstance(remedies, list) else []:
        name = one.get("id") if isinstance(one, dict) else one
        revision = one.get("revision") if isinstance(one, dict) else 0
        if events._is_asked(name, {}):
            found[str(name)] = int(revision) if isinstance(revision, int) else 0
    return found


def due_of(extra_vars):
    """`stopgap_due`, {host: ids}: whoever starts the run says it. A fact of that name is a host's word, and not heard."""
    told = extra_vars.get("stopgap_due") or {}
    if not isinstance(told, dict) or not all(isinstance(ids, list) for ids in told.values()):
        raise ValueError("stopgap_due is a list of remedy ids by host, such as {web1: [CVE-2024-6387]}")
    return {str(host): [str(one) for one in ids] for host, ids in told.items()}


def actor_of(variables, environ):
    """AWX says who launched the job; elsewhere it is who logged in, also behind sudo."""
    named = variables.get("awx_user_name") or variables.get("tower_user_name")
    if named:
        return str(named)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "uid %d" % os.getuid()
    return environ.get("SUDO_USER") or user if user == "root" else user


def origin_of(variables, environ):
    if variables.get("awx_job_id") or variables.get("tower_job_id") or environ.get("JOB_ID"):
        return "awx"
    return "molecule" if any(name.startswith("MOLECULE_") for name in environ) else "laptop"


def run_of(environ):
    """The engine may name the run beforehand, to find its events afterwards."""
    given = environ.get("STOPGAP_RUN", "").lower()
    return given if _UUID.fullmatch(given) else events.uuid7()


def estate_name(value):
    name = clean(value or "", 64).strip()
    return name or "default"
