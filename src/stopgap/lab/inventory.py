"""What a lab tells the tools that use it: inventory, ssh configuration, known hosts, a podman that enters the lab."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from stopgap.lab.engine import Engine
from stopgap.lab.hosts import Host
from stopgap.lab.machine import WRAPPER_MARK
from stopgap.lab.paths import write_private

USER = "ops"
PODMAN_WRAPPER = """\
#!/bin/sh
{mark}.
{refuse_mount}exec {prefix}sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" {program} "$@"
"""
REFUSE_MOUNT = """\
if [ "$1" = mount ]; then
    echo "podman mount: not here, where a mount shows only inside the lab's namespace; use podman cp" >&2
    exit 125
fi
"""


def inventory_data(folder: Path, hosts: Sequence[Host]) -> dict[str, Any]:
    suites = sorted({host.suite for host in hosts})
    return {
        "all": {
            "vars": {
                "ansible_user": USER,
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder / 'known_hosts'}"
                " -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
            },
            "hosts": {host.name: {"ansible_host": host.address, "lab_container": host.container} for host in hosts},
            "children": {
                suite: {"hosts": {host.name: {} for host in hosts if host.suite == suite}} for suite in suites
            },
        }
    }


def known_hosts(hosts: Sequence[Host], public_keys: dict[str, str]) -> str:
    return "".join(f"{host.address} {' '.join(public_keys[host.name].split()[:2])}\n" for host in hosts)


def ssh_config(folder: Path, hosts: Sequence[Host]) -> str:
    entries = [f"Host {host.name}\n    HostName {host.address}\n" for host in hosts]
    common = (
        f"Host *\n    User {USER}\n    IdentityFile {folder / 'id_ed25519'}\n    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {folder / 'known_hosts'}\n    StrictHostKeyChecking yes\n    ConnectTimeout 5\n"
    )
    return "".join([*entries, common])


def podman_wrapper(engine: Engine) -> str:
    prefix = "".join(f"{shlex.quote(word)} " for word in engine.prefix)
    return PODMAN_WRAPPER.format(
        mark=WRAPPER_MARK.decode(),
        prefix=prefix,
        program=shlex.quote(engine.program),
        refuse_mount=REFUSE_MOUNT if engine.prefix else "",
    )


def write_inventory(folder: Path, engine: Engine, hosts: Sequence[Host], public_keys: dict[str, str]) -> None:
    text = yaml.safe_dump(inventory_data(folder, hosts), sort_keys=False)
    write_private(folder / "known_hosts", known_hosts(hosts, public_keys))
    write_private(folder / "ssh_config", ssh_config(folder, hosts))
    write_private(folder / "podman", podman_wrapper(engine), 0o700)
    write_private(folder / "hosts.yml", text)
