"""`needrestart {nothing_of?, unit?}`: what the host's own needrestart says that still has to be restarted.

It names units, sessions and kernels, never packages: of those `processes` tells.
"""

import shlex
from collections.abc import Iterator
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.deferred import canonical
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, expect, together, unknown

ROWS = (
    Row(
        "needrestart: {nothing_of?, unit?}",
        "needrestart lists nothing of `nothing_of` (`services`, `sessions`, `containers`, `kernel`, `microcode`), "
        "and `unit` not among the services",
        "it lists one",
        "needrestart is not there, fails, or does not say; not root",
    ),
)
# What needrestart calls them in batch mode, and the option that makes it look.
LISTS = {"services": "SVC", "sessions": "SESS", "containers": "CONT"}
STATES = {"kernel": ("KSTA", "-k"), "microcode": ("UCSTA", "-w")}
CURRENT = "1"
OLD = {"kernel": ("2", "3"), "microcode": ("2",)}


def name(params: dict[str, Any]) -> str:
    return " ".join([*(params.get("nothing_of") or []), *([params["unit"]] if params.get("unit") else [])])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    asked, unit = params.get("nothing_of") or [], params.get("unit")
    if (not asked and not unit) or not set(asked) <= {*LISTS, *STATES}:
        raise Surprise(f"give unit, or nothing_of with some of {', '.join([*LISTS, *STATES])}")
    if host.run_expect([0], "id -u").stdout.strip() != "0":
        return unknown("needrestart sees every process as root only")
    looks = [option for key, (_word, option) in STATES.items() if key in asked]
    looks += ["-l"] if unit or set(asked) & set(LISTS) else []
    output = host.run_expect([0], shlex.join(["needrestart", "-b", "-r", "l", *looks])).stdout
    told = [line.removeprefix("NEEDRESTART-").partition(": ") for line in output.splitlines()]
    if not any(key == "VER" for key, _colon, _value in told):
        raise Surprise(f"needrestart does not name its version: {output.strip()[:100]}")
    found = {word: [value for key, _colon, value in told if key == word] for word in {key for key, *_rest in told}}
    return together([*_states(asked, found), *_lists(asked, found), *_unit(unit, found)])


def _states(asked: list[str], found: dict[str, list[str]]) -> Iterator[Verdict]:
    for key, (word, _option) in STATES.items():
        if key in asked:
            state = (found.get(word) or ["nothing"])[0]
            if state == CURRENT:
                yield expect(True, f"the {key} is current")
            elif state in OLD[key]:
                expected = "".join(f", expected is {version}" for version in found.get(word.replace("STA", "EXP"), []))
                yield expect(False, f"the {key} that runs is not current{expected}")
            else:
                yield unknown(f"needrestart does not know of the {key} (it says {state})")


def _lists(asked: list[str], found: dict[str, list[str]]) -> Iterator[Verdict]:
    for key, word in LISTS.items():
        if key in asked:
            names = found.get(word, [])
            said = f"{len(names)} {key} need a restart: {', '.join(names[:5])}" if names else f"no {key} need a restart"
            yield expect(not names, said)


def _unit(unit: str | None, found: dict[str, list[str]]) -> Iterator[Verdict]:
    if unit:
        listed = canonical(unit) in map(canonical, found.get("SVC", []))
        yield expect(not listed, f"{unit} needs {'a' if listed else 'no'} restart")
