"""Command lines for hosts, made by Ansible's own inventory, variables and plugins."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from stopgap.verify.agent import BOOTSTRAP, FLAGS

# Ansible keeps global state and forks: a Python of its own, as the worker of a play is, asks for every host at once.
ASK = """
import json, sys
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

play_file, inventory_file, passwords = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
context.CLIARGS = ImmutableDict(
    connection="smart", become=False, become_method="sudo", become_user=None, remote_user=None, private_key_file=None,
    timeout=10, verbosity=0, check=False, diff=False, syntax=False, start_at_task=None,
)
init_plugin_loader()
from ansible_collections.stopgap.remediation.plugins.plugin_utils.connections import Connections

loader = DataLoader()
inventory = InventoryManager(loader=loader, sources=[inventory_file])
variables = VariableManager(loader=loader, inventory=inventory)
play = Playbook.load(play_file, variable_manager=variables, loader=loader).get_plays()[0]
task = next(task for block in play.compile() for task in block.block if "meta" not in task.action)
for host in inventory.get_hosts():
    variables.set_host_facts(host.name, host.vars.get("facts") or {})
first = inventory.get_hosts()[0]
task_vars = variables.get_vars(play=play, host=first, task=task)
task_vars["hostvars"] = HostVars(inventory, variables, loader)
connections = Connections(task, PlayContext(play=play, passwords=passwords), loader, task_vars)
names = [*(host.name for host in inventory.get_hosts()), "nobody"]
print(json.dumps({name: connections.resolve(name) for name in names}))
"""


@pytest.fixture
def resolve(tmp_path, monkeypatch, request):
    root = request.config.rootpath
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(root / "collections"))
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path / "cp"))
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    ssh_args = "-C -o ControlMaster=auto -o ControlPersist=60s"
    (tmp_path / "ansible.cfg").write_text(f"[ssh_connection]\nssh_args = {ssh_args}\n")

    def run(hosts, passwords=None, task=None, **play):
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        task = {"stopgap.remediation.verify": {"remedies": [], "targets": {}}, "run_once": True, **(task or {})}
        playbook = tmp_path / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, **play, "tasks": [task]}]))
        done = subprocess.run(
            [sys.executable, "-c", ASK, str(playbook), str(inventory), json.dumps(passwords or {})],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return SimpleNamespace(**json.loads(done.stdout))

    return run


def has(argv, *words):
    """The words stand side by side."""
    return any(argv[at : at + len(words)] == list(words) for at in range(len(argv)))


def test_ssh_has_what_the_inventory_says(resolve, tmp_path):
    key = tmp_path / "key"
    spec = resolve(
        {
            "web1": {
                "ansible_host": "{{ base }}.7",
                "base": "10.0.0",
                "ansible_port": 2222,
                "ansible_user": "ops",
                "ansible_ssh_private_key_file": str(key),
                "ansible_ssh_common_args": "-o ProxyJump=gate.example.org -o UserKnownHostsFile='/a b'",
                "ansible_ssh_extra_args": "-tt",
                "ansible_timeout": 7,
                "ansible_python_interpreter": "/opt/py/bin/python3",
            }
        }
    ).web1
    argv = spec["argv"]
    assert argv[0] == "ssh"
    assert has(argv, "-o", "Port=2222")
    assert has(argv, "-o", 'User="ops"')
    assert has(argv, "-o", f'IdentityFile="{key}"')
    assert has(argv, "-o", "ConnectTimeout=7")
    assert has(argv, "-o", "ProxyJump=gate.example.org", "-o", "UserKnownHostsFile=/a b")
    assert has(argv, "-o", "PasswordAuthentication=no")
    assert argv[-3:] == ["-T", "10.0.0.7", f"/opt/py/bin/python3 {FLAGS} -c '{BOOTSTRAP}'"]  # -T after any -tt
    assert set(spec) == {"argv", "python"}


def test_the_warm_connection_of_ansible_is_used(resolve, tmp_path):
    spec = resolve({"web1": {"ansible_host": "10.0.0.7", "ansible_port": 22, "ansible_user": "ops"}}).web1
    code = "from ansible.plugins.connection.ssh import Connection; "
    code += "print(Connection._create_control_path('10.0.0.7', 22, 'ops'))"
    path = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert has(spec["argv"], "-o", f'ControlPath="{path % {"directory": tmp_path / "cp"}}"')


def test_host_key_checking_stays_as_ansible_has_it(resolve):
    found = resolve({"a": {}, "b": {"ansible_host_key_checking": False}})
    assert not has(found.a["argv"], "-o", "StrictHostKeyChecking=no")
    assert has(found.b["argv"], "-o", "StrictHostKeyChecking=no")


def test_become_wraps_the_remote_command_and_its_password_travels_apart(resolve):
    hosts = {
        "nopass": {},
        "pass": {"ansible_become_password": "s3cret word"},
        "off": {"ansible_become": False},
        "off_text": {"ansible_become": "no"},
        "empty": {"ansible_become": None},
        "other": {"ansible_become_user": "app", "ansible_become_flags": "-H -S"},
        "root": {"ansible_user": "root"},
        "su": {"ansible_become_method": "su", "ansible_become_password": "s3cret word"},
        "odd": {"ansible_become_method": "no_such_method"},
    }
    found = resolve(hosts, become=True)
    assert "sudo -H -S -n  -u root /bin/sh -c" in found.nopass["argv"][-1]
    assert "become_password" not in found.nopass
    assert getattr(found, "pass")["become_password"] == "s3cret word"  # noqa: S105
    assert re.search(getattr(found, "pass")["become_prompt"], prompt_of(getattr(found, "pass")["argv"][-1]))
    assert all("s3cret" not in word for word in [*getattr(found, "pass")["argv"], *found.su["argv"]])
    assert "sudo" not in found.off["argv"][-1] + found.off_text["argv"][-1]
    assert "sudo" in found.empty["argv"][-1]  # as Ansible has it: nothing is said
    assert "-u app" in found.other["argv"][-1]
    assert "sudo" not in found.root["argv"][-1]  # nobody becomes who he is
    assert found.su["argv"][-1].startswith("su  root -c ")
    assert "Password" in found.su["become_prompt"]
    assert "no_such_method" in found.odd["error"]


def prompt_of(command):
    return re.search('-p "([^"]+)"', command)[1]


def test_become_of_block_or_play_or_task_is_the_same(resolve):
    assert "sudo" in resolve({"a": {}}, task={"become": True}).a["argv"][-1]
    assert "sudo" not in resolve({"a": {}}, task={"become": False}, become=True).a["argv"][-1]


def test_passwords_that_were_typed_reach_hosts_without_their_own(resolve):
    hosts = {"a": {}, "b": {"ansible_password": "own", "ansible_become_password": "own become"}}
    found = resolve(hosts, passwords={"conn_pass": "typed", "become_pass": "typed become"}, become=True)
    assert (found.a["password"], found.a["become_password"]) == ("typed", "typed become")
    assert (found.b["password"], found.b["become_password"]) == ("own", "own become")
    for spec in (found.a, found.b):
        assert spec["argv"][0] == "ssh"  # the verifier starts sshpass, which wants a pipe of its own
        assert not has(spec["argv"], "-o", "PasswordAuthentication=no")


def test_a_password_of_the_first_host_is_nobody_elses(resolve):
    found = resolve({"a": {"ansible_password": "own", "ansible_become_password": "own become"}, "b": {}}, become=True)
    assert "password" not in found.b
    assert "become_password" not in found.b


@pytest.mark.parametrize("name", ["ansible_become_pass", "ansible_sudo_pass", "ansible_become_password"])
def test_what_the_first_host_left_in_the_play_context_is_not_taken_for_typed(resolve, name):
    passwords = {"conn_pass": "typed", "become_pass": "of a"}
    found = resolve({"a": {name: "of a"}, "b": {}}, passwords=passwords, become=True)
    assert (found.a["become_password"], found.b["password"]) == ("of a", "typed")
    assert "become_password" not in found.b


def test_each_host_has_its_own_connection_whatever_the_first_has(resolve):
    hosts = {
        "first": {
            "ansible_connection": "local",
            "ansible_port": 2222,
            "ansible_user": "x",
            "ansible_python_interpreter": "/p",
        },
        "second": {},
        "third": {"ansible_connection": "ansible.builtin.ssh", "login": "me"},
    }
    found = resolve(hosts, remote_user="{{ login | default('ops') }}")
    assert found.first["argv"] == ["/bin/sh", "-c", f"/p {FLAGS} -c '{BOOTSTRAP}'"]
    assert found.second["argv"][0] == "ssh"
    assert found.second["argv"][-2] == "second"
    assert not any("Port=" in word for word in found.second["argv"])
    assert has(found.second["argv"], "-o", 'User="ops"')
    assert has(found.third["argv"], "-o", 'User="me"')


def test_p04_a_task_that_is_sent_to_the_controller_does_not_get_the_controllers_verdict(resolve):
    for task in ({"connection": "local"}, {"delegate_to": "localhost"}):
        found = resolve({"web1": {"ansible_host": "10.0.0.7"}}, task=task)
        assert found.web1["argv"][0] == "ssh"
        assert found.web1["argv"][-2] == "10.0.0.7"


def test_a_local_play_is_local(resolve):
    assert resolve({"a": {}}, connection="local").a["argv"][0] == "/bin/sh"


def test_smart_is_what_ansible_makes_of_it(resolve):
    """The name of old inventories and of `transport = smart` in ansible.cfg."""
    assert resolve({"a": {"ansible_connection": "smart"}}).a["argv"][0] == "ssh"


def test_play_variables_count(resolve):
    assert has(resolve({"a": {}}, vars={"ansible_port": 2022}).a["argv"], "-o", "Port=2022")


@pytest.mark.parametrize("chosen", ["auto", "auto_silent", "auto_legacy"])
def test_a_python_that_was_discovered_is_used_where_none_is_named(resolve, chosen):
    facts = {"discovered_interpreter_python": "/usr/libexec/platform-python; evil"}
    spec = resolve({"a": {"ansible_python_interpreter": chosen, "facts": facts}}).a
    # P9: words, whatever a host says
    assert spec["argv"][-1].startswith(f"'/usr/libexec/platform-python;' evil {FLAGS} -c ")
    assert shlex.split(spec["argv"][-1])[-1] == BOOTSTRAP
    assert resolve({"a": {"ansible_python_interpreter": chosen}}).a["python"] == "/usr/bin/python3"


def test_what_cannot_be_resolved_is_said_of_that_host_only(resolve):
    hosts = {"bad": {"ansible_host": "{{ nowhere }}"}, "worse": {"ansible_connection": "no.such.plugin"}, "good": {}}
    found = resolve({**hosts, "win": {"ansible_connection": "winrm"}})
    assert "nowhere" in found.bad["error"]
    assert "no.such.plugin" in found.worse["error"]
    assert found.win["ansible"]["ansible_connection"] == "winrm"
    assert found.nobody == {"error": "the inventory has no host nobody"}
    assert found.good["argv"][0] == "ssh"


def test_what_has_no_command_line_is_told_by_the_variables_that_ansible_reaches_it_by(resolve, monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(Path(__file__).parents[2] / "connection_plugins"))
    site = {"ansible_connection": "site_ssh", "ansible_ssh_common_args": "-J {{ jump }}", "jump": "door", "other": 1}
    hosts = {
        "a": {**site, "ansible_host": "10.0.0.7", "ansible_port": 2222, "ansible_user": "ops"},
        "b": {**site, "ansible_become_method": "su", "ansible_become_password": "{{ 'ge' + 'heim' }}"},
        "c": {**site, "ansible_become": False, "ansible_python_interpreter": "/opt/python3"},
    }
    found = resolve(hosts, become=True, passwords={"conn_pass": "typed"})
    plain = {"ansible_connection": "site_ssh", "ansible_ssh_common_args": "-J door", "ansible_password": "typed"}
    assert found.a["python"] == "/usr/bin/python3"
    assert found.a["ansible"] == {
        **plain,
        **{"ansible_host": "10.0.0.7", "ansible_port": 2222, "ansible_user": "ops", "ansible_become": True},
        **{"ansible_become_method": "sudo", "ansible_become_user": "root"},
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    assert found.b["ansible"]["ansible_host"] == "b"
    assert found.b["ansible"]["ansible_become_method"] == "su"
    assert found.b["ansible"]["ansible_become_password"] == "geheim"  # noqa: S105
    assert (found.c["ansible"]["ansible_become"], found.c["python"]) == (False, "/opt/python3")
    assert "ansible_become_user" not in found.c["ansible"]


def test_p04_a_plugin_that_is_made_from_ssh_or_local_reaches_its_hosts_in_its_own_way(resolve, monkeypatch):
    """Where it says none it has their name for its transport: the controller would answer for site_jail's hosts."""
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(Path(__file__).parents[2] / "connection_plugins"))
    found = resolve({"a": {"ansible_connection": "site_jail"}, "b": {"ansible_connection": "ansible.builtin.local"}})
    assert found.a["ansible"]["ansible_connection"] == "site_jail"
    assert found.b["argv"][0] == "/bin/sh"


def test_p04_a_device_that_the_controller_would_answer_for_is_not_asked(resolve, monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(Path(__file__).parents[2] / "connection_plugins"))
    found = resolve({"switch": {"ansible_connection": "site_device"}})
    assert "site_device" in found.switch["error"]
    assert "on the controller" in found.switch["error"]


def test_a_plugin_of_a_collection_is_told_by_the_name_that_ansible_finds_it_by(resolve):
    become = {"ansible_become_method": "ansible.builtin.su"}
    told = resolve({"win": {"ansible_connection": "ansible.builtin.winrm", **become}}, become=True).win["ansible"]
    assert (told["ansible_connection"], told["ansible_become_method"]) == ("winrm", "su")


def test_vaulted_and_omitted_values(resolve):
    assert "password" not in resolve({"a": {"ansible_password": "{{ no_such | default(omit) }}"}}).a


def test_the_collection_and_the_package_mean_the_same_bootstrap(request):
    root = request.config.rootpath / "collections/ansible_collections/stopgap/remediation"
    source = (root / "plugins/plugin_utils/connections.py").read_text()
    assert f"BOOTSTRAP = '{BOOTSTRAP}'" in source
    assert f'FLAGS = "{FLAGS}"' in source


def entered(monkeypatch, root, plugin, options, address):
    monkeypatch.setenv("PYTHONPATH", str(root / "collections"))
    code = """
import json, sys
from types import SimpleNamespace as N
from ansible_collections.stopgap.remediation.plugins.plugin_utils.connections import ARGV
plugin, options, address = json.loads(sys.argv[1])
connection = N(get_option=options.__getitem__, _shell=N(executable="/bin/sh"))
print(json.dumps(ARGV[plugin](connection, N(remote_addr=address, remote_user=None), "id -un")))
"""
    words = [sys.executable, "-c", code, json.dumps([plugin, options, address])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.stderr
    return json.loads(done.stdout)


def test_containers_are_entered_as_their_plugins_do_it(request, monkeypatch):
    """podman's plugin takes the play's address, whatever its option of that name says; docker's its option."""
    options = {"podman_executable": "/lab/podman", "podman_extra_args": "--url 'a b'", "remote_user": "app"}
    options["remote_addr"] = "inventory_hostname"
    assert entered(monkeypatch, request.config.rootpath, "containers.podman.podman", options, "web1") == [
        *("/lab/podman", "--url", "a b", "exec", "-i", "--user", "app"),
        *("web1", "/bin/sh", "-c", "id -un"),
    ]


def test_p04_a_docker_container_is_the_one_that_ansible_docker_host_names(request, monkeypatch):
    options = {"docker_extra_args": "", "remote_user": None, "remote_addr": "shop_web_1"}
    argv = entered(monkeypatch, request.config.rootpath, "community.docker.docker", options, "web1")
    assert argv == ["docker", "exec", "-i", "shop_web_1", "/bin/sh", "-c", "id -un"]
