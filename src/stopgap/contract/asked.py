"""What a condition's command asks a host for, where that can be read from its words: then the host can be given it."""

import re
from collections.abc import Iterator
from typing import Any

from stopgap.contract.example import NoExample, example

Item = dict[str, Any]
ARCHIVES = (".jar", ".war", ".ear")
READERS = ("cat", "grep", "egrep", "head", "tail")
SSHD = {"path": "/etc/ssh/sshd_config.d/50-standin.conf", "validate": ["sshd", "-t", "-f", "%s"]}
APACHE = ("apache2ctl", "apachectl", "apache2")


def text_for(pattern: str | None) -> Item:
    """A line that the pattern finds; without one that could be made up, the file is only made sure to exist."""
    if not pattern:
        return {}
    try:
        return {"pattern": pattern, "text": example(pattern)}
    except NoExample:
        return {"pattern": pattern}


def files_asked(command: Item) -> Iterator[Item]:
    """Files that `cat`, `grep`, `ls`, `stat` and `find` look for; archives are needs.archives' to make."""
    program, words = _program(command), command["run"][1:]
    paths = [word for word in words if word.startswith("/")]
    text = _text_told(command)
    if program == "sshd" and "-T" in words and text.get("text"):
        yield {**SSHD, **text, "unless": command["run"]}  # it prints a configuration as it could be written
    elif not paths:
        return
    elif program in READERS:
        if text.get("text"):
            yield {"path": paths[-1], **text}
    elif program in ("ls", "stat", "test"):
        yield from ({"path": path} for path in paths)
    elif program == "find":
        name = _after(words, "-name") or _after(words, "-iname")
        if name and not name.endswith(ARCHIVES):
            mode = "4755" if "4000" in (_after(words, "-perm") or "") else None
            yield {"path": f"{paths[0].rstrip('/')}/{name}", "mode": mode, "glob": [paths[0], name]}


def commands_asked(command: Item) -> list[list[str]]:
    """What makes Apache load the modules that its `-M`, or `a2query -m`, shall name."""
    program, words = _program(command), command["run"][1:]
    told = str(_text_told(command).get("text", ""))
    if program in APACHE and "-M" in words:
        modules = re.findall(r"(\w+)_module\b", told)
    else:
        modules = [_after(words, "-m")] if program == "a2query" and told else []
    return [["a2enmod", "-q", name] for name in modules if name]


def archive_name(command: Item) -> str | None:
    """The name of the archive that `find` looks for."""
    name = _after(command["run"], "-name") or _after(command["run"], "-iname")
    return name if _program(command) == "find" and name and name.endswith(ARCHIVES) else None


def units_asked(command: Item) -> list[str]:
    """Units that `systemctl is-active UNIT…` and its like name."""
    words = [word for word in command["run"][1:] if not word.startswith("-")]
    asks = _program(command) == "systemctl" and words[:1] in (["is-active"], ["is-enabled"], ["status"], ["show"])
    return words[1:] if asks else []


def _text_told(command: Item) -> Item:
    has = command["stdout_has"]
    return {"text": has} if has else text_for(command["stdout_matches"])


def _program(command: Item) -> str:
    return str(command["run"][0]).rpartition("/")[2]


def _after(words: list[str], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words[:-1] else None
