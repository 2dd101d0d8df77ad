"""What Ansible has to find in its environment. Apart from run.py, since ansible_runner takes its time to import."""

import configparser
import os
import sys
from pathlib import Path

from stopgap.collection import collection_root

LEDGER_CALLBACK = "stopgap.remediation.ledger"
# Ansible's own, and a host silent for a minute in the middle of a step is given up: TCP alone waits for hours.
SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=15 -o ServerAliveCountMax=4"


def environment(given: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """What the play needs beyond the caller's own settings.

    ansible-runner turns host key checking off and replaces the callback list unless told otherwise, so both are said
    here as the user has them. Nothing secret belongs in it: runner writes it to a file.
    """
    config = _config(given)
    callbacks = given.get("ANSIBLE_CALLBACKS_ENABLED") or config.get("callbacks_enabled", "")
    names = [name.strip() for name in callbacks.split(",") if name.strip()]
    home = given.get("ANSIBLE_HOME") or "~/.ansible"
    default = f"{home}/collections{os.pathsep}/usr/share/ansible/collections"
    collections = given.get("ANSIBLE_COLLECTIONS_PATH") or config.get("collections_path", default)
    ours = str(collection_root().parents[2])
    checking = given.get("ANSIBLE_HOST_KEY_CHECKING") or config.get("host_key_checking", "True")
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(dict.fromkeys([*names, LEDGER_CALLBACK])),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([ours, collections]),
        "ANSIBLE_HOST_KEY_CHECKING": checking,
        "ANSIBLE_FORCE_COLOR": "False",  # colour is the display's business
        "ANSIBLE_NOCOLOR": "True",
    }
    if not config:  # the defaults a fleet wants, where the user has none of their own
        settings |= {"ANSIBLE_PIPELINING": given.get("ANSIBLE_PIPELINING", "True")}
        settings |= {"ANSIBLE_FORKS": given.get("ANSIBLE_FORKS", "20")}
        settings |= {"ANSIBLE_SSH_ARGS": given.get("ANSIBLE_SSH_ARGS", SSH_ARGS)}
    return settings


def _config(given: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """The ``[defaults]`` of the ansible.cfg that Ansible would read here (its own search order)."""
    named = given.get("ANSIBLE_CONFIG")
    places = [Path(named)] if named else [Path("ansible.cfg"), _expanded("~/.ansible.cfg")]
    for place in [*places, Path("/etc/ansible/ansible.cfg")]:
        if place.is_file():
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            parser.read(place)
            found = dict(parser["defaults"]) if parser.has_section("defaults") else {}
            return {"": str(place)} | {
                key: _absolute(value, place) if key == "collections_path" else value for key, value in found.items()
            }
    return {}


def _absolute(paths: str, config: Path) -> str:
    """Relative entries of a path list are relative to the file that names them."""
    return os.pathsep.join(str(config.parent.absolute() / _expanded(p)) for p in paths.split(os.pathsep))


def _expanded(path: str) -> Path:
    """As it stands where nobody knows this user's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
