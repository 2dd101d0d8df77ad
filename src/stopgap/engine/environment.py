"""What Ansible has to find in its environment. Apart from run.py, since ansible_runner takes its time to import."""

import configparser
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from stopgap.collection import collection_root

LEDGER_CALLBACK = "stopgap.remediation.ledger"
# Ansible's own, and a host silent for a minute in the middle of a step is given up: TCP alone waits for hours.
SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
# Ansible's prompt · what brings it: options, and a key of a section of ansible.cfg, which is a variable, too
PROMPTS = (
    ("SSH password", ("-k", "--ask-pass"), "defaults", "ask_pass"),
    ("BECOME password", ("-K", "--ask-become-pass"), "privilege_escalation", "become_ask_pass"),
    ("Vault password", ("-J", "--ask-vault-password", "--ask-vault-pass"), "defaults", "ask_vault_pass"),
)
COLLECTIONS = ("collections_path", "collections_paths")  # the latter up to ansible-core 2.18
YES = ("true", "yes", "on", "1", "y", "t")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What the play needs beyond the caller's own settings.

    ansible-runner turns host key checking off and replaces the callback list unless told otherwise, so both are said
    here as the user has them. Nothing secret belongs in it: runner writes it to a file.
    """
    config = _config(given)
    defaults = config.get("defaults", {})
    callbacks = given.get("ANSIBLE_CALLBACKS_ENABLED") or defaults.get("callbacks_enabled", "")
    names = [name.strip() for name in callbacks.split(",") if name.strip()]
    home = given.get("ANSIBLE_HOME") or "~/.ansible"
    default = f"{home}/collections{os.pathsep}/usr/share/ansible/collections"
    places = [given.get(f"ANSIBLE_{key.upper()}") for key in COLLECTIONS] + [defaults.get(key) for key in COLLECTIONS]
    collections = next(filter(None, places), default)
    ours = str(collection_root().parents[2])
    checked = defaults | config.get("ssh_connection", {})  # in the order in which Ansible looks
    checking = given.get("ANSIBLE_HOST_KEY_CHECKING") or checked.get("host_key_checking", "True")
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(dict.fromkeys([*names, LEDGER_CALLBACK])),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([ours, collections]),
        "ANSIBLE_HOST_KEY_CHECKING": checking,
        "ANSIBLE_STDOUT_CALLBACK": "default",  # runner builds its own upon it, which not every one bears
        "ANSIBLE_ENABLE_TASK_DEBUGGER": "False",  # nobody could answer it
        "ANSIBLE_AGNOSTIC_BECOME_PROMPT": "True",  # else it asks for what PROMPTS does not have
        "ANSIBLE_FORCE_COLOR": "False",  # colour is the display's business
        "ANSIBLE_NOCOLOR": "True",
    }
    strategy = given.get("ANSIBLE_STRATEGY") or defaults.get("strategy", "")
    if strategy.rpartition(".")[2] == "debug":
        settings |= {"ANSIBLE_STRATEGY": "linear"}  # debug is linear with that debugger
    if not config:  # the defaults a fleet wants, where the user has none of their own
        settings |= {"ANSIBLE_PIPELINING": given.get("ANSIBLE_PIPELINING", "True")}
        settings |= {"ANSIBLE_FORKS": given.get("ANSIBLE_FORKS", "20")}
        settings |= {"ANSIBLE_SSH_ARGS": given.get("ANSIBLE_SSH_ARGS", SSH_ARGS)}
    return settings


def prompts(given: Mapping[str, str], words: Iterable[str]) -> list[str]:
    """What Ansible will ask for with these arguments and the user's own settings."""
    config, words = _config(given), list(words)

    def setting(section: str, key: str) -> str:
        return given.get(f"ANSIBLE_{key.upper()}") or config.get(section, {}).get(key, "")

    found = [
        prompt
        for prompt, options, section, key in PROMPTS
        if _is_given(options, words) or setting(section, key).lower() in YES
    ]
    vaults = [*setting("defaults", "vault_identity_list").split(","), *_vault_ids(words)]
    asked = [name for name, _at, source in (word.strip().rpartition("@") for word in vaults) if source == "prompt"]
    unnamed = setting("defaults", "vault_identity") or "default"
    return found + [f"Vault password ({name or unnamed})" for name in asked]


def _is_given(options: tuple[str, ...], words: list[str]) -> bool:
    """Also among other letters (-bK), and as much of a long one as argparse takes."""
    letters = re.compile(f"-[bhvkCDJK]*{options[0][1]}")
    starts = [word for word in words if word.startswith("--ask-")]
    return any(map(letters.match, words)) or any(option.startswith(word) for option in options for word in starts)


def _vault_ids(words: list[str]) -> list[str]:
    apart = [value for option, value in pairwise(words) if option == "--vault-id"]
    return apart + [word.removeprefix("--vault-id=") for word in words if word.startswith("--vault-id=")]


def _config(given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The sections of the ansible.cfg that Ansible would read here; empty without one."""
    for place in _places(given):
        if os.access(place, os.R_OK) and place.is_file():
            parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
            with suppress(configparser.Error, UnicodeDecodeError):  # Ansible says what is wrong with it
                parser.read(place, encoding="utf-8")
            found = {name: dict(section) for name, section in parser.items()}
            defaults = found.get("defaults", {})
            defaults |= {key: _absolute(defaults[key], place) for key in COLLECTIONS if key in defaults}
            return found
    return {}


def _places(given: Mapping[str, str]) -> Iterator[Path]:
    """Ansible's own search order. Where anybody can write into the current folder, its file is anybody's."""
    if "ANSIBLE_CONFIG" in given:
        named = _expanded(given["ANSIBLE_CONFIG"])
        yield from (named / "ansible.cfg", named)  # a folder, or the file itself
    with suppress(OSError):  # the current folder is gone
        if not Path().stat().st_mode & stat.S_IWOTH:
            yield Path("ansible.cfg")
    yield _expanded("~/.ansible.cfg")
    yield Path("/etc/ansible/ansible.cfg")


def _absolute(paths: str, config: Path) -> str:
    """Relative entries of a path list are relative to the file that names them."""
    return os.pathsep.join(str(config.parent.absolute() / _expanded(p)) for p in paths.split(os.pathsep))


def _expanded(path: str) -> Path:
    """Variables too. As it stands where nobody knows this user's home."""
    path = os.path.expandvars(path)
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
