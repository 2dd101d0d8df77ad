"""Checks where Ansible itself is asked for every command: a real `ansible`, over a connection plugin of our own."""

import sys
from pathlib import Path

import pytest
import yaml

from stopgap.verify import relay
from stopgap.verify.backend import SLOWER, open_host
from stopgap.verify.errors import CommandTimeout, HostUnreachable

PLUGINS = Path(__file__).parents[2] / "connection_plugins"
HERE = {"ansible_connection": "site_local", "ansible_become": False}


@pytest.fixture
def reach(tmp_path, monkeypatch):
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(PLUGINS))
    opened = []

    def open_(variables, timeout=30, python=sys.executable):
        host = open_host("web1", {"ansible": variables, "python": python}, timeout)
        opened.append(host)
        return host

    yield open_
    for host in opened:
        host.backend.close()


def test_bytes_exit_codes_input_and_time_limits_are_as_everywhere(reach):
    host = reach(HERE)
    told = host.run("printf '\\377\\r\\n'; cat; echo >&2 %s; exit 7", "it's {{ 7 * 7 }}", stdin="{{ 6 * 6 }} é\n")
    assert told.rc == 7
    assert told.stdout_bytes == b"\xff\r\n{{ 6 * 6 }} \xc3\xa9\n"
    assert told.stderr == "it's {{ 7 * 7 }}\n"
    with pytest.raises(CommandTimeout, match=r"no end after 0\.5 s: sleep 60"):
        host.run("sleep 60", timeout=0.5)


def test_p04_what_ansible_cannot_reach_is_unreachable_with_its_reason(reach):
    host = reach({**HERE, "ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_password": "geheim"})
    with pytest.raises(HostUnreachable, match="winrm") as raised:
        host.run("true")
    assert "geheim" not in str(raised.value)
    with pytest.raises(HostUnreachable, match="winrm"):  # not asked again
        host.run("true")


def test_the_cause_is_told_and_not_all_that_ansible_did_on_the_way_to_it(reach):
    told = {"ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_password": "geheim"}
    with pytest.raises(HostUnreachable) as raised:
        reach(told | {"ansible_become": True}).backend.connect()
    said = [f"The '{shell}' shell plugin does not support become." for shell in ("powershell", "cmd")]  # 2.19, 2.21
    assert str(raised.value).startswith((*said, "The powershell shell family is incompatible"))  # 2.16


def test_p09_a_python_that_the_host_has_named_is_no_template(reach, tmp_path):
    """Ansible's search for one takes the host's word for its path."""
    named = f'/x{{{{lookup(\\"pipe\\",\\"touch${{IFS}}{tmp_path}/here\\")}}}}'
    with pytest.raises(HostUnreachable, match="is no Python: set ansible_python_interpreter"):
        reach(HERE, python=named).backend.connect()
    assert not (tmp_path / "here").exists()


def test_a_plugin_that_is_not_there_says_so(reach):
    with pytest.raises(HostUnreachable, match="no_such_plugin"):
        reach({**HERE, "ansible_connection": "no_such_plugin"}).backend.connect()


def test_an_ansible_that_hangs_is_ended(reach, tmp_path, monkeypatch):
    (tmp_path / "ansible").write_text("#!/bin/sh\nsleep 300 & wait\n")
    (tmp_path / "ansible").chmod(0o755)
    monkeypatch.setattr(relay, "PATIENCE", 0.2)
    monkeypatch.setattr(relay, "environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    with pytest.raises(HostUnreachable, match=r"no answer in 0\.6 s"):
        reach(HERE, timeout=0.1).backend.connect()
    assert pytest.approx(0.6) == SLOWER * 0.1 + 0.2


def test_texts_are_no_templates():
    told = {"ansible_password": "a'b\"{{ x }}\n%é\u2028😀", "ansible_port": 22, "ansible_become": False, "l": ["{{", 1]}
    text = relay.as_yaml(told)
    assert text.count("!unsafe") == 2

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: node.value)
    assert yaml.load(text, Loader) == told  # noqa: S506 - a safe one
