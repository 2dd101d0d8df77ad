# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""Every play leaves its record, wherever it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ledger
type: notification
short_description: Record what plays found, did and proved in the Stopgap ledger
version_added: 0.1.0
author: Stopgap developers (@stopgap)
description:
  - Turns the results of the C(stopgap.remediation) modules into events, appends each at once to a spool file, and at the
    end of the play runs C(python -m stopgap.ledger ingest) to deliver them.
  - Nothing that goes wrong here changes the result of a play. What could not be delivered stays in the spool, and the
    next play, or C(stopgap ledger ingest), delivers it.
  - Check mode leaves no events. Nor does what is started with C(poll=0), since nobody hears its end; that is said.
  - With each assessment goes what the site says of the host in C(stopgap_exposure) (C(internet), C(internal) or C(isolated)),
    C(stopgap_criticality) (C(low), C(medium), C(high) or C(critical)) and C(stopgap_owner). Like C(stopgap_estate) they are read
    from extra variables, the play, the inventory, and C(group_vars) and C(host_vars) beside either; never from facts.
requirements:
  - enabled as C(stopgap.remediation.ledger) in C(callbacks_enabled)
  - the Python package C(stopgap) beside ansible-core, for the delivery only
options:
  state_dir:
    description:
      - Folder of the spool (and of the default ledger).
      - Defaults to C($XDG_STATE_HOME/stopgap), else C(~/.local/state/stopgap).
      - The package's own commands, such as C(stopgap status), do not read ansible.cfg. Where they shall find the same ledger, set
        C(STOPGAP_STATE_DIR) instead.
    type: path
    env:
      - name: STOPGAP_STATE_DIR
    ini:
      - section: callback_stopgap_ledger
        key: state_dir
  estate:
    description:
      - Name of the estate for hosts whose variables do not set C(stopgap_estate).
      - C(stopgap_estate) is read from extra variables, the play, the inventory, and C(group_vars) and C(host_vars) beside either; never from facts.
    type: str
    default: default
    env:
      - name: STOPGAP_ESTATE
    ini:
      - section: callback_stopgap_ledger
        key: estate
  deliver:
    description: Whether to deliver the spool to the ledger at the end of the play.
    type: bool
    default: true
    env:
      - name: STOPGAP_DELIVER
    ini:
      - section: callback_stopgap_ledger
        key: deliver
  timeout:
    description: Seconds the delivery may take, a whole number. What is not delivered by then stays in the spool.
    type: str
    default: "120"
    env:
      - name: STOPGAP_DELIVER_TIMEOUT
    ini:
      - section: callback_stopgap_ledger
        key: timeout
"""

import functools
import os

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.helpers import get_group_vars
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from ansible_collections.stopgap.remediation.plugins.plugin_utils import about, events, extension, witness
from ansible_collections.stopgap.remediation.plugins.plugin_utils.bounds import clean
from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import SpoolFile, deliver

REMEDIES = events.PREFIX + "remedies"
ASSESS = events.PREFIX + "assess"
ENCRYPTED = ("EncryptedString", "AnsibleVaultEncryptedUnicode")  # a vault's texts, from 2.19 on and before: no str


def never_break(method):
    """A play must never fail because of its record: here, and nowhere else, any exception becomes a warning."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self._warn_once("%s: %s" % (type(error).__name__, error))
            return None

    return guarded


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "stopgap.remediation.ledger"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super(CallbackModule, self).__init__(*args, **kwargs)
        self._witness = None
        self._spool = None
        self._play = None
        self._play_vars = {}
        self._places = {}
        self._warned = set()

    # --- what Ansible calls

    @never_break
    def v2_playbook_on_play_start(self, play):
        self._end_play()
        self._play = play
        self._places = {}
        self._play_vars = play.get_variable_manager().get_vars(play=play)
        if self._witness is None:
            actor = witness.actor_of(self._play_vars, os.environ)
            origin = witness.origin_of(self._play_vars, os.environ)
            self._witness = witness.Witness(witness.run_of(os.environ), actor, origin, self._about)
        due = witness.due_of(play.get_variable_manager().extra_vars)
        self._witness.begin_play(play._uuid, self._hosts_of(play), due)

    @never_break
    def v2_runner_on_ok(self, result):
        if not _has_loop(result):
            self._hear(result, failed=False)

    @never_break
    def v2_runner_item_on_ok(self, result):
        self._hear(result, failed=False)

    @never_break
    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not _has_loop(result):
            self._hear(result, failed=True)

    @never_break
    def v2_runner_item_on_failed(self, result):
        self._hear(result, failed=True)

    @never_break
    def v2_runner_on_unreachable(self, result):
        if _is_dry(result):
            return
        ours = _action(result) in events.TELLERS
        asked = _asked(result) if ours else None
        self._witness.hear_silence(result._host.get_name(), _trouble(result._result), asked)
        self._write(self._witness.silences(self._estate))

    @never_break
    def v2_playbook_on_stats(self, stats):
        if self._witness is None:
            return
        self._end_play()
        if not self._witness.ever_asked:
            self._hear_names()
            self._write(self._witness.silences(self._estate))
        if self._spool is not None:
            self._spool.close()
            self._deliver()

    # --- what we make of it

    def _hear(self, result, failed):
        action = _action(result)
        if _is_dry(result):
            return
        if action == REMEDIES and not failed:
            self._witness.hear_remedies(result._result.get("remedies"))
            self._write(self._witness.hear_knowledge(result._result.get("knowledge")))
            self._write(self._witness.silences(self._estate))
        elif action in events.TELLERS and not failed and _is_under_way(result):
            self._warn_once("%s with `poll: 0` has no result yet, and async_status is not heard" % action)
        elif action in events.TELLERS:
            if "censored" in result._result:
                self._warn_once("a result of %s is hidden by no_log and cannot be recorded" % action)
            trouble = _trouble(result._result) if failed else ""
            host = result._host.get_name()
            for teller in ([ASSESS] if _assessed_too(result) else []) + [action]:
                told = self._witness.hear(
                    teller, host, self._estate, result._result, _asked(result), trouble, _wish(result)
                )
                self._write(told)

    @never_break
    def _end_play(self):
        """Where nobody of a batch was left to ask, no other moment tells it."""
        if self._witness is None:
            return
        if self._witness.silent and not self._witness.asked and _is_ours(self._play):
            self._hear_names()
        self._write(self._witness.silences(self._estate))

    def _hear_names(self):
        """Nobody could be reached before the remedies were resolved: the names will do."""
        self._witness.hear_remedies(self._plain(self._play_vars.get("stopgap_remedies")))

    def _hosts_of(self, play):
        """Names of this batch's hosts, those that Ansible gave up in an earlier play included."""
        return {host.name for host in play.get_variable_manager()._inventory.get_hosts(play.hosts)}

    def _write(self, told):
        if told and self._spool is None:
            self._spool = SpoolFile(os.path.join(self._state_dir(), "spool"), self._witness.run)
        try:
            for event in told:
                self._spool.write(event)
        except OSError as error:
            raise OSError("%s; is STOPGAP_STATE_DIR a folder that can be written?" % error) from error

    def _deliver(self):
        if not self.get_option("deliver"):
            return
        delivered, said = deliver(self._spool.folder, self._timeout())
        if not delivered:
            self._display.warning(
                "stopgap ledger: %d events of this run are not in the ledger yet and stay in %s; the next play or "
                "`stopgap ledger ingest` delivers them (%s)" % (self._spool.written, self._spool.path, said)
            )
        elif said:
            self._display.warning("stopgap ledger: %s" % said)

    def _timeout(self):
        """Of a number that is none Ansible itself would say so by loading no callback: nothing of the run were recorded."""
        given = self.get_option("timeout")
        try:
            return int(given)
        except ValueError:
            self._display.warning(
                "stopgap ledger: STOPGAP_DELIVER_TIMEOUT is no number of seconds: %s; it is 120 now" % clean(given, 80)
            )
            return 120

    def _warn_once(self, why):
        self._warn_of(
            why,
            "part of this run is not recorded (%s). What was changed is in the hosts' journals, and `stopgap sync` brings it back; "
            "what was only found or proven has to be asked again" % clean(why, 1000),
        )

    def _warn_of(self, matter, sentence):
        """One warning a matter, however many hosts have it."""
        if matter not in self._warned:
            self._warned.add(matter)
            self._display.warning("stopgap ledger: %s" % sentence)

    def _state_dir(self):
        # Empty is unset, as for the package: Ansible would make it the current folder.
        given = self.get_option("state_dir") if os.environ.get("STOPGAP_STATE_DIR") != "" else None
        if given:
            return given
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        if base.startswith("~"):  # no HOME, and a user without an entry: it would be a folder of this name
            raise OSError("nobody knows where this user's home is: set HOME, or STOPGAP_STATE_DIR")
        return os.path.join(base, "stopgap")

    def _estate(self, host):
        return self._place(host)[0]

    def _about(self, host):
        return self._place(host)[1]

    def _place(self, host):
        """(estate, what the site says of the host): from one reading of its variables, once a host a play."""
        if host not in self._places:
            variables = dict(self._inventory_vars(host), inventory_hostname=host)
            self._places[host] = (self._told_estate(host, variables), self._told_about(host, variables))
        return self._places[host]

    def _inventory_vars(self, name):
        """The site's word on a host, in the order in which Ansible has it, without facts: a host must not choose its estate."""
        inventory = self._play.get_variable_manager()._inventory
        host = inventory.get_host(name) if inventory else None
        if host is None:
            return {}
        groups = sorted(host.get_groups(), key=lambda group: (group.depth, group.priority))  # `all` is the first
        found = get_group_vars(groups)
        for own, entities in (({}, groups[:1]), ({}, groups[1:]), (host.vars, [host])):  # the host's own counts last
            found.update(own)
            found.update(self._files_of(inventory, entities))
        return found

    def _files_of(self, inventory, entities):
        """group_vars and host_vars: those beside the playbook weigh more than those beside the inventory."""
        loader = self._play.get_loader()
        found = get_vars_from_inventory_sources(loader, inventory._sources, entities, "all")
        if self._play.get_variable_manager().safe_basedir:  # not of the folder where somebody types `ansible`
            found = dict(found, **get_vars_from_path(loader, loader.get_basedir(), entities, "all"))
        return found

    def _told_estate(self, host, variables):
        """An estate is a label: where its template cannot be told, the event is kept under the default one."""
        try:
            told = self._told("stopgap_estate", variables)
        except AnsibleError as error:
            self._warn_once("stopgap_estate of %s: %s; recorded under the default estate" % (host, error))
            told = None
        return witness.estate_name(told or self.get_option("estate"))

    def _told_about(self, host, variables):
        """What is not one of the words is warned about once and left out."""
        found = {}
        for name in about.VARIABLES:
            try:
                word = about.word_of(name, self._told(name, variables))
            except (AnsibleError, about.BadWord) as error:
                self._warn_of(name, "%s of %s, left out of the record: %s" % (name, host, clean(error, 1000)))
                continue
            if word:
                found[about.key_of(name)] = word
        return found

    def _told(self, name, variables):
        return self._plain(self._play_vars.get(name) or variables.get(name), variables)

    def _plain(self, value, variables=None):
        if type(value).__name__ in ENCRYPTED:
            return str(value)
        if isinstance(value, str) and "{{" in value:
            known = dict(variables or {}, **self._play_vars)
            return Templar(loader=self._play.get_loader(), variables=known).template(value)
        return value


def _action(result):
    """The task's full name, however it was written; None for tasks that are not ours."""
    task = result._task
    name = getattr(task, "_resolved_action", None) or task.action
    return name if name.startswith(events.PREFIX) else events.PREFIX + name if "." not in name else None


def _is_ours(play):
    """A task of the play's own is ours, or of a role of ours, or includes one."""
    tasks = [task for block in play.compile() for task in block.get_tasks()]
    roles = [getattr(task, "_role_name", None) or (task._role and task._role.get_name()) for task in tasks]
    return any(str(name).startswith(events.PREFIX) for name in [*roles, *(task.action for task in tasks)])


def _asked(result):
    """{remedy: revision} from the task's own arguments: what the host was asked, in the controller's words."""
    args = (result._task_fields or {}).get("args")
    return witness.ids_of(args.get("remedies")) if isinstance(args, dict) else {}


def _wish(result):
    """The task's own word on more time for mitigations; None for most tasks."""
    args = (result._task_fields or {}).get("args")
    return extension.wish_of(args) if isinstance(args, dict) and args.get("extend") else None


def _assessed_too(result):
    """`mitigation` with `assess` is two answers in one."""
    args = (result._task_fields or {}).get("args")
    return isinstance(args, dict) and bool(args.get("assess")) and _action(result) == events.PREFIX + "mitigation"


def _trouble(result):
    # longer than a reason: where it has to be cut, the event says so
    return clean(result.get("msg") or result.get("censored") or "no message", 2 * events.REASON_LIMIT)


def _has_loop(result):
    task = result._task
    return bool(task.loop_with or task.loop)


def _is_under_way(result):
    """A job that nobody waits for said nothing, which is not the same as knowing nothing. By the task: a host says anything."""
    fields = result._task_fields or {}
    return bool(fields.get("async_val")) and not fields.get("poll")


def _is_dry(result):
    fields = result._task_fields or {}
    # the task's own word, which is the command line's unless it says otherwise: `check_mode: false` changes hosts under --check
    return fields.get("check_mode", context.CLIARGS.get("check")) in (True, "yes", "true")
