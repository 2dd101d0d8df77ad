"""What the tools that use a lab are told."""

import shutil
import subprocess

import pytest
import yaml

from stopgap.lab.engine import Engine
from stopgap.lab.hosts import Host
from stopgap.lab.inventory import podman_wrapper, write_inventory

HOSTS = [
    Host("web1", "bookworm", "192.0.2.10", "stopgap-t-web1"),
    Host("db1", "bullseye", "192.0.2.11", "stopgap-t-db1"),
]
KEYS = {"web1": "ssh-ed25519 AAAAweb remark\n", "db1": "ssh-ed25519 AAAAdb remark\n"}


@pytest.fixture
def folder(tmp_path):
    write_inventory(tmp_path, Engine(), HOSTS, KEYS)
    return tmp_path


def test_every_host_is_in_the_group_of_its_suite(folder):
    data = yaml.safe_load((folder / "hosts.yml").read_text())["all"]
    assert data["hosts"]["web1"] == {"ansible_host": "192.0.2.10", "lab_container": "stopgap-t-web1"}
    assert {suite: list(group["hosts"]) for suite, group in data["children"].items()} == {
        "bookworm": ["web1"],
        "bullseye": ["db1"],
    }


def test_host_keys_are_checked(folder):
    options = yaml.safe_load((folder / "hosts.yml").read_text())["all"]["vars"]["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking=yes" in options
    assert f"UserKnownHostsFile={folder}/known_hosts" in options
    assert (folder / "known_hosts").read_text() == "192.0.2.10 ssh-ed25519 AAAAweb\n192.0.2.11 ssh-ed25519 AAAAdb\n"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
def test_ssh_understands_the_configuration(folder):
    asked = ["ssh", "-G", "-F", str(folder / "ssh_config"), "web1"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"hostname 192.0.2.10", "user ops", f"identityfile {folder}/id_ed25519"} <= set(said)


def test_nobody_else_reads_the_files(folder):
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"hosts.yml": 0o600, "known_hosts": 0o600, "ssh_config": 0o600, "podman": 0o700}


def test_the_wrapper_passes_words_and_folder_on_as_they_are(tmp_path):
    wrapper = tmp_path / "podman"
    wrapper.write_text(podman_wrapper(Engine("/bin/echo", ("env", "-u", "NOTHING"))))
    said = subprocess.run(["/bin/sh", wrapper, "exec", "a b", "$HOME"], capture_output=True, text=True, check=True)
    assert said.stdout == "exec a b $HOME\n"


def test_the_wrapper_refuses_mounts_that_only_the_namespace_would_see(tmp_path):
    wrapper = tmp_path / "podman"
    wrapper.write_text(podman_wrapper(Engine("/bin/echo", ("env", "-u", "NOTHING"))))
    done = subprocess.run(["/bin/sh", wrapper, "mount", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    wrapper.write_text(podman_wrapper(Engine("/bin/echo")))
    assert subprocess.run(["/bin/sh", wrapper, "mount", "x"], capture_output=True, check=False).returncode == 0
