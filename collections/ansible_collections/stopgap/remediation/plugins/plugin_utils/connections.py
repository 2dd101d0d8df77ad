# SPDX-License-Identifier: Apache-2.0
"""What Ansible would run on the controller to reach a host, as data the verifier can start by itself.

Ansible's own plugins resolve everything (variables, ansible.cfg, keywords, ControlPath), in the order in which its
TaskExecutor asks them; here only the last step differs: the command line is handed out, not run.
"""

import os
import re
import shlex

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar
from ansible.utils.sentinel import Sentinel
from ansible_collections.stopgap.remediation.plugins.plugin_utils.on_host import name_of, why_not_asked

# The verifier's agent is read by this (src/stopgap/verify/agent.py); it survives every login shell's quoting.
BOOTSTRAP = 'exec(input("stopgap> "))'
FLAGS = "-IS"
FALLBACK_PYTHON = "/usr/bin/python3"
# name for PlayContext, its attribute, the variables that replace it
PASSWORDS = (
    ("conn_pass", "password", re.compile("ansible_(ssh_|paramiko_)?pass(word)?$")),
    ("become_pass", "become_pass", re.compile("ansible_(?!ssh_|paramiko_)\\w+_pass(word)?$")),
)
KEYWORDS = ("become", "become_exe", "become_flags", "become_method", "become_user", "port", "remote_user")
# Before 2.19 a template that comes to `omit` is this kind of string, later it is an exception.
OMITTED = re.compile("^__omit_place_holder__")


class Connections:
    """Connections as a task would have them, one host at a time."""

    def __init__(self, task, play_context, loader, task_vars):
        self._task = task
        self._play = task.get_play()
        self._loader = loader
        self._hostvars = task_vars["hostvars"]
        self._passwords = typed_passwords(play_context, task_vars)

    def resolve(self, name):
        """The connection of contracts.md §5, or why there is none: one bad variable must not cost the other hosts."""
        host = self._hostvars._inventory.get_host(name)
        if host is None:
            return {"error": "the inventory has no host %s" % name}
        try:
            return self._resolve(host)
        except Exception as error:  # Ansible's plugins raise what they like
            return {"error": "Ansible cannot tell how to reach it: %s" % to_text(error).strip()}

    def _resolve(self, host):
        variables = self._hostvars._variable_manager.get_vars(play=self._play, host=host, task=self._task)
        templar = Templar(loader=self._loader, variables=variables)
        task = task_of(self._task, templar)
        context = self._context(host, task, variables, templar)
        connection = self._connection(task, context, variables, templar)
        if why := why_not_asked(connection, host.name):
            return {"error": why}
        # a plugin made from another one has its transport where it says none, and reaches its hosts in its own way
        build = ARGV.get(vars(type(connection)).get("transport"))
        python = find_python(variables, templar)
        if build is None:
            return {"ansible": relayed(connection, context, python, variables, templar), "python": python}
        command = " ".join(shlex.quote(word) for word in shlex.split(python) + [FLAGS, "-c", BOOTSTRAP])
        become = connection.become if needs_become(connection, context) else None
        if become:
            command = become.build_become_command(command, connection._shell)
        return plain(
            argv=build(connection, context, command),
            python=python,
            password=option(connection, "password") or context.password,
            password_prompt=option(connection, "sshpass_prompt"),
            become_password=become and option(become, "become_pass"),
            become_prompt=become and prompt_pattern(become),
        )

    def _context(self, host, task, variables, templar):
        context = PlayContext(play=self._play, passwords=self._passwords)
        context = context.set_task_and_variable_override(task=task, variables=variables, templar=templar)
        context.post_validate(templar=templar)
        context.remote_addr = context.remote_addr or host.address
        return context

    def _connection(self, task, context, variables, templar):
        context.connection = (
            templated(["ansible_connection"], variables, templar).get("ansible_connection") or task.connection
        )
        kind = context.connection  # which knows what "smart" stands for
        connection = connection_loader.get(
            kind, context, new_stdin=None, task_uuid=task._uuid, ansible_playbook_pid=str(os.getppid())
        )
        if connection is None:
            raise AnsibleError("there is no connection plugin %s" % kind)
        keys = task.dump_attrs()
        del keys["retries"]
        keys["timeout"] = context.timeout
        if context.password:
            keys["password"] = context.password
        set_options(connection, "connection", keys, variables, templar)
        set_options(connection._shell, "shell", keys, variables, templar)
        connection.set_become_plugin(find_become(task, variables, templar))
        if connection.become:
            if context.become_pass:
                keys["become_pass"] = context.become_pass
            set_options(connection.become, "become", keys, variables, templar)
        return connection


def task_of(task, templar):
    """The task as this host would have it: Ansible made the task's keywords those of the first host of the batch.

    A `connection` or `delegate_to` of the task's own is left out. Whoever writes one knows that the task runs on the
    controller, and would get the controller's verdict for every host.
    """
    written = task.get_ds() or {}
    own = task.copy(exclude_parent=True)
    own.delegate_to = None
    own.connection = templar.template(inherited(task, "connection"))
    for name in KEYWORDS:
        value = written.get(name)
        setattr(own, name, templar.template(inherited(task, name) if value is None else value))
    return own


def inherited(task, name):
    """A keyword of the block, role or play around a task, else the command line's. A plain getattr sees the block only."""
    value = task._get_parent_attribute(name, omit=True)
    if value is Sentinel:
        value = task.fattributes[name].default
    return value() if callable(value) else value


def find_become(task, variables, templar):
    own = templated(["ansible_become", "ansible_become_method"], variables, templar)
    said = own.get("ansible_become")
    if not boolean((task.become if said is None else said) or False):
        return None
    method = own.get("ansible_become_method") or task.become_method
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError("there is no become plugin %s" % method)
    return plugin


def typed_passwords(play_context, task_vars):
    """What -k and -K were told. The play context is the first host's: where that host has a password of its own, it
    may stand there by now, and no other host may see it.
    """
    passwords = {}
    for key, attribute, own in PASSWORDS:
        if not any(own.match(name) for name in task_vars):
            passwords[key] = getattr(play_context, attribute) or ""
    return passwords


def templated(names, variables, templar):
    found = {}
    for name in names:
        if name in variables:
            try:
                value = templar.template(variables[name])
            except Exception as error:
                if type(error).__name__ != "AnsibleValueOmittedError":
                    raise
                continue
            if not (isinstance(value, str) and OMITTED.match(value)):
                found[name] = value
    return found


def set_options(plugin, kind, keys, variables, templar):
    names = C.config.get_plugin_vars(kind, plugin._load_name)
    plugin.set_options(task_keys=keys, var_options=templated(names, variables, templar))


def option(plugin, name):
    """A plugin's option, None where it has no such option."""
    try:
        return plugin.get_option(name)
    except KeyError:
        return None


def find_python(variables, templar):
    own = templated(["ansible_python_interpreter"], variables, templar)
    chosen = to_text(C.config.get_config_value("INTERPRETER_PYTHON", variables=own) or "auto")
    if not chosen.startswith("auto"):
        return chosen
    facts = variables.get("ansible_facts")
    found = facts.get("discovered_interpreter_python") if isinstance(facts, dict) else None
    return to_text(found or FALLBACK_PYTHON)


def needs_become(connection, context):
    """As ActionBase does it: nobody becomes who he is already."""
    if connection.become is None:
        return False
    try:
        user = connection.get_option("remote_user")
    except KeyError:
        user = getattr(connection, "default_user", None) or context.remote_user
    wanted = option(connection.become, "become_user")
    return C.BECOME_ALLOW_SAME_USER or wanted != user or not wanted


def prompt_pattern(become):
    """The regular expression of what asks for the password; su asks in the host's own language."""
    if become.prompt and become.prompt is not True:
        return re.escape(to_text(become.prompt))
    words = option(become, "prompt_l10n") or getattr(become, "SU_PROMPT_LOCALIZATIONS", None)
    return "(?i)(?:%s)\\s*[:\uff1a]" % "|".join(re.escape(word) for word in words) if words else None


def relayed(connection, context, python, variables, templar):
    """The variables by which `ansible` itself reaches the host: it has no command line that could be kept open."""
    become = connection.become if needs_become(connection, context) else None
    plugins = [("connection", connection), ("shell", connection._shell)] + ([("become", become)] if become else [])
    names = {name for kind, plugin in plugins for name in C.config.get_plugin_vars(kind, plugin._load_name)}
    found = templated(sorted(names - {"inventory_hostname"}), variables, templar)
    found.update(
        ansible_connection=name_of(connection),
        ansible_host=context.remote_addr,
        ansible_user=option(connection, "remote_user") or context.remote_user,
        ansible_port=option(connection, "port") or context.port,
        ansible_password=option(connection, "password") or context.password,
        ansible_python_interpreter=python,
        ansible_become=bool(become),
        ansible_become_method=become and name_of(become),
        ansible_become_user=become and option(become, "become_user"),
        ansible_become_password=become and option(become, "become_pass"),
    )
    return dict((name, untagged(value)) for name, value in sorted(found.items()) if value not in (None, ""))


def untagged(value):
    """As JSON has it: Ansible tags its strings and numbers."""
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, (list, tuple)):
        return [untagged(item) for item in value]
    return to_text(value)


def ssh_argv(connection, context, command):
    connection.host = connection.get_option("host") or context.remote_addr
    executable = connection.get_option("ssh_executable")
    argv = connection._build_command(executable, "ssh", "-T", connection.host, command)
    # The verifier starts sshpass itself: a pipe made here would not reach it.
    for end in getattr(connection, "sshpass_pipe", None) or ():
        os.close(end)
    argv = [to_text(word) for word in argv]
    return argv[argv.index(to_text(executable)) :]


def local_argv(connection, context, command):
    return [connection._shell.executable or "/bin/sh", "-c", command]


def container_argv(executable, extra, address=None):
    """For podman and docker: their plugins take the same arguments and name their options differently.

    podman's has an option for the address, too, and does not read it.
    """

    def build(connection, context, command):
        user = option(connection, "remote_user") or context.remote_user
        argv = [option(connection, "podman_executable") or executable]
        argv += shlex.split(option(connection, extra) or "")
        argv += ["exec", "-i"] + (["--user", user] if user else [])
        name = option(connection, address) if address else context.remote_addr
        return argv + [name, connection._shell.executable or "/bin/sh", "-c", command]

    return build


ARGV = {
    "ssh": ssh_argv,
    "local": local_argv,
    "containers.podman.podman": container_argv("podman", "podman_extra_args"),
    "community.docker.docker": container_argv("docker", "docker_extra_args", "remote_addr"),
}


def plain(argv, **texts):
    """Ansible's tagged and vaulted strings as what they say."""
    spec = dict((key, to_text(value)) for key, value in texts.items() if value)
    return dict(spec, argv=[to_text(word) for word in argv])
