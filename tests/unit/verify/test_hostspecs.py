"""Hosts as testinfra's options name them, and Ansible asked for its own."""

import json
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from stopgap.verify import hostspecs, inventory
from stopgap.verify.agent import BOOTSTRAP, FLAGS
from stopgap.verify.errors import BadRequest
from stopgap.verify.hostspecs import connections, slow_hosts

PYTHON = f"python3 {FLAGS} -c '{BOOTSTRAP}'"


@pytest.fixture
def no_config(tmp_path, monkeypatch):
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))


def argv(spec, **options):
    (name, found), *_more = connections([spec], options).items()
    return name, found["argv"]


def test_ssh_with_all_that_testinfra_takes():
    options = {"ssh_config": "c", "ssh_identity_file": "k", "ssh_extra_args": "-o 'ProxyJump=a b'", "sudo": True}
    name, words = argv("ssh://ops@web1:2222", **options, sudo_user="root")
    assert name == "web1"
    assert words == [
        *["ssh", "-T", "-o", "ConnectTimeout=10", "-F", "c", "-i", "k", "-l", "ops", "-p", "2222"],
        *["-o", "ProxyJump=a b", "--", "web1", f"sudo -n -u root {PYTHON}"],
    ]


def test_a_hostspec_counts_before_an_option():
    assert argv("ssh://web1?sudo=true", sudo=False)[1][-1] == f"sudo -n {PYTHON}"
    assert argv("ssh://[2001:db8::1]:23", connection="ansible")[1][-4:] == ["23", "--", "2001:db8::1", PYTHON]


def test_a_host_is_never_an_option_of_ssh():
    words = argv("ssh://-oProxyCommand=true")[1]
    assert words.index("--") == words.index("-oProxyCommand=true") - 1


def test_a_password_is_not_on_the_command_line():
    found = connections(["ssh://ops:secret@web1"], {})["web1"]
    assert found["password"] == "secret"  # noqa: S105
    assert "secret" not in " ".join(found["argv"])


def test_containers_and_this_machine():
    assert argv("podman://root@box") == (
        "box",
        ["podman", "exec", "-i", "--user", "root", "box", "/bin/sh", "-c", PYTHON],
    )
    assert argv("docker://box") == ("box", ["docker", "exec", "-i", "box", "/bin/sh", "-c", PYTHON])
    assert argv("local://")[0] == "local"


@pytest.mark.parametrize("spec", ["web1", "salt://web1", "winrm://web1"])
def test_what_we_cannot_speak_says_so(spec):
    assert "write --hosts=ssh://web1" in connections([spec], {})["web1"]["error"]


def test_ansible_tells_its_own_connections_in_a_file_that_only_we_may_read(no_config, tmp_path, monkeypatch):
    """Ansible is real; what it was asked and what it printed is looked at on the way."""
    hosts = {"a": {"ansible_host": "192.0.2.7", "ansible_port": 2222, "ansible_password": "geheim"}, "b": {}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    seen = []

    class Watched(subprocess.Popen):
        def communicate(self):
            printed = super().communicate()
            path = Path(json.loads(self.args[self.args.index("-a") + 1])["path"])
            seen.append((self.args, "".join(printed), stat.S_IMODE(path.stat().st_mode), path))
            return printed

    monkeypatch.setattr(inventory.subprocess, "Popen", Watched)
    found = inventory.ask_ansible("all", str(tmp_path / "hosts.json"))
    (words, printed, mode, path), *_more = seen
    assert found.keys() == {"a", "b"}
    assert found["a"]["password"] == "geheim"  # noqa: S105
    assert "Port=2222" in found["a"]["argv"]
    assert found["a"]["argv"][-1].startswith("sudo ")
    assert "geheim" not in " ".join([*words, *found["a"]["argv"], printed])
    assert mode == 0o600
    assert not path.parent.exists()


def test_an_inventory_that_is_none_says_so(no_config, tmp_path):
    with pytest.raises(BadRequest, match=r"ansible://all: .*none\.yml"):
        inventory.ask_ansible("all", str(tmp_path / "none.yml"))
    (tmp_path / "empty.yml").write_text("all: {}")
    with pytest.raises(BadRequest, match="no host for ansible://all"):
        inventory.ask_ansible("all", str(tmp_path / "empty.yml"))


def test_an_inventory_of_which_a_part_cannot_be_read_is_none(no_config, tmp_path, monkeypatch):
    """As with a cloud that is away: its hosts would be left out, and the session would pass."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/a.yml").write_text("all: {hosts: {web1: {}}}")
    (tmp_path / "inventory/b.yml").write_text("all: {hosts: {web2")
    told = {"connection": "ansible", "ansible_inventory": str(tmp_path / "inventory")}
    with pytest.raises(BadRequest, match=r"inventory/b\.yml"):
        connections(["all"], told)
    monkeypatch.setenv("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "False")
    assert list(connections(["all"], told)) == ["web1"]


def test_a_sites_own_strategy_does_not_matter(no_config, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"a": None, "b": None}}}))
    assert inventory.ask_ansible("all", str(tmp_path / "hosts.json")).keys() == {"a", "b"}


def test_half_an_answer_is_none(no_config, tmp_path):
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"a": None}}}))
    asked = inventory.Asked("all", str(tmp_path / "hosts.json"))
    asked._file.write_text('{"a": {"argv": [],')
    with pytest.raises(BadRequest, match="could not tell how to reach ansible://all"):
        asked.answer()


def test_an_answer_that_nobody_waits_for_leaves_nothing_behind(no_config, tmp_path):
    asked = inventory.Asked("all", str(tmp_path / "none.yml"))
    folder = Path(asked._private.name)
    assert folder.exists()
    asked.drop()
    assert not folder.exists()
    assert asked._process.returncode is not None


def test_hosts_that_are_slow_to_ask_are_told_once_and_not_all_by_name():
    slow = {"ansible": {"ansible_connection": "paramiko_ssh"}, "python": "python3"}
    told = {
        **{f"web{number}": slow for number in range(1, 8)},
        "quick": {"argv": [], "python": ""},
        "no": {"error": ""},
    }
    (line,) = slow_hosts(told)
    assert line.startswith("stopgap: paramiko_ssh cannot be kept open")
    assert line.endswith("on web1, web2, web3, web4, web5, …")
    assert slow_hosts({"quick": told["quick"]}) == []


def test_our_own_name_is_a_pattern_of_the_inventorys(monkeypatch):
    asked = []
    monkeypatch.setattr(hostspecs, "Asked", lambda *told: asked.append(told) or SimpleNamespace(answer=dict))
    connections(["stopgap://web*", "ansible://db"], {"ansible_inventory": "hosts.yml"})
    assert asked == [("web*:db", "hosts.yml", True)]


def test_an_exclusion_keeps_to_its_own_pattern(monkeypatch):
    """Ansible would apply it to all that stands beside it, and hosts that are named would not be asked."""
    asked = []
    monkeypatch.setattr(hostspecs, "Asked", lambda *told: asked.append(told) or SimpleNamespace(answer=dict))
    connections(["ansible://web:!db1", "ansible://db1", "ansible://app:&prod", "ansible://db2"], {})
    assert sorted(asked) == [("app:&prod", None, False), ("db1:db2", None, True), ("web:!db1", None, False)]


def test_a_name_that_the_inventory_does_not_have_is_missed_beside_others(no_config, tmp_path):
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"a": None, "b": None}}}))
    options = {"ansible_inventory": str(tmp_path / "hosts.json")}
    assert connections(["ansible://a", "ansible://b", "ansible://all:!nobody"], options).keys() == {"a", "b"}
    with pytest.raises(BadRequest, match=r"(?s)a:nobody: .*host pattern.*: nobody"):
        connections(["ansible://a", "ansible://nobody"], options)


def test_two_hosts_of_one_name_are_not_taken_for_one(monkeypatch):
    """As forwarded ports have them: only one would be asked, and what it says would pass for both."""
    assert connections(["ssh://ops@web1:22", "ssh://ops@web1:22"], {}).keys() == {"web1"}
    with pytest.raises(BadRequest, match="web1 is named twice"):
        connections(["ssh://ops@web1:2201", "ssh://ops@web1:2202"], {})
    answer = SimpleNamespace(answer=lambda: {"web1": {"argv": [str(object())]}})
    monkeypatch.setattr(hostspecs, "Asked", lambda *_told: answer)
    assert connections(["ansible://web:!db", "ansible://all"], {}).keys() == {"web1"}
    for other in ("ssh://web1", "ansible://web1?ansible_inventory=prod.yml"):
        with pytest.raises(BadRequest, match="web1 is named twice"):
            connections(["ansible://web1?ansible_inventory=test.yml", other], {})
