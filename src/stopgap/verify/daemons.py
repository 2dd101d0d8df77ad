"""Daemons that tell their own effective configuration. A new one is one line of DAEMONS.

Nothing heavy is imported here: the model of a remedy reads this table, too.
"""

from collections.abc import Callable
from typing import NamedTuple

from stopgap.verify import nginx
from stopgap.verify.errors import Surprise

Scope = dict[str, str]
Settings = dict[str, list[str] | None]


class Daemon(NamedTuple):
    """How to ask, and what the answer means.

    `command(scope)` is what asks it; any exit code but 0 is no answer. `read(text, option, scope)` gives {place: its
    values}, None where the daemon does not say. `scopes` are the keys of `for`; `same` compares two values.
    """

    command: Callable[[Scope], list[str]]
    read: Callable[[str, str, Scope], Settings]
    scopes: tuple[str, ...]
    same: Callable[[str, str], bool] = str.__eq__


def _sshd_command(scope: Scope) -> list[str]:
    if any("," in value or "=" in value for value in scope.values()):
        raise Surprise("a value of `for` may have neither comma nor equals sign")
    return ["sshd", "-T", *(["-C", ",".join(f"{key}={value}" for key, value in scope.items())] if scope else [])]


def _sshd(text: str, option: str, _scope: Scope) -> Settings:
    lines = [line.partition(" ") for line in text.splitlines()]
    return {"": [value for name, _blank, value in lines if name.lower() == option.lower()] or None}


def _samba(text: str, option: str, scope: Scope) -> Settings:
    """What a share does not set, it has from [global]."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if line.startswith("[") and line.rstrip().endswith("]"):
            section = sections.setdefault(line.strip()[1:-1].casefold(), {})
        elif equals:
            section[_samba_name(name)] = value.strip()
    if "global" not in sections:
        raise Surprise("testparm prints no [global]")
    wanted = scope.get("share", "global").casefold()
    if wanted not in sections:
        raise Surprise(f"there is no share {scope['share']}")
    found = (sections["global"] | sections[wanted]).get(_samba_name(option))
    return {"": None if found is None else [found]}


def _samba_name(name: str) -> str:
    """Neither case nor blanks count."""
    return "".join(name.split()).casefold()


DAEMONS: dict[str, Daemon] = {
    "nginx": Daemon(lambda _scope: ["nginx", "-T"], nginx.settings, ("server", "listen")),
    "samba": Daemon(
        lambda _scope: ["testparm", "-s", "-v"],
        _samba,
        ("share",),
        lambda one, other: one.casefold() == other.casefold(),
    ),
    "sshd": Daemon(_sshd_command, _sshd, ("user", "host", "addr", "laddr", "lport")),
}
