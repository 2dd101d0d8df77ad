"""`mount {path, options?, lacks?}`: something is mounted there, with these options and without those.

By the kernel's own table, where the last line for a path is what is on top.
"""

import re
from typing import Any, NamedTuple

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed

ROWS = (
    Row(
        "mount: {path, options?, lacks?}",
        "something is mounted there with all of `options` and none of `lacks`",
        "nothing is, or an option is the other way",
        "`/proc` is not readable",
    ),
)

# Never listed: in effect where the opposite is not.
HARMLESS = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro"}


def name(params: dict[str, Any]) -> str:
    return str(params["path"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    path = params["path"].rstrip("/") or "/"
    options = _options(host.run_expect([0], "cat /proc/self/mountinfo").stdout, path)
    if options is None:
        return failed(f"{path} is not a mount point")
    missing = [option for option in params.get("options") or [] if not _has(options, option)]
    unwanted = [option for option in params.get("lacks") or [] if _has(options, option)]
    if missing or unwanted:
        said = [f"lacks {option}" for option in missing] + [f"has {option}" for option in unwanted]
        return failed(f"{path} {' and '.join(said)}")
    return passed(f"{path} is mounted {','.join(sorted(options))}")


class _Mount(NamedTuple):
    parent: str
    path: str
    options: set[str]


def _options(table: str, path: str) -> set[str] | None:
    mounts = dict(_read(line) for line in table.splitlines() if " - " in line)  # a login may have said more
    found = [one for one in mounts.values() if one.path == path and not _is_covered(one, mounts)]
    return found[-1].options if found else None


def _read(line: str) -> tuple[str, _Mount]:
    """The options are those of the mount, and those of its file system."""
    words = line.split(" ")
    path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[4])
    return words[0], _Mount(words[1], path, {*words[5].split(","), *words[words.index("-") + 3].split(",")})


def _is_covered(mount: _Mount, mounts: dict[str, _Mount]) -> bool:
    """By what was mounted on a folder above it later: still in the table, and no way leads there any more."""
    if any(other.parent == mount.parent and mount.path.startswith(f"{other.path}/") for other in mounts.values()):
        return True
    below = mounts.get(mount.parent, mount)
    return below is not mount and _is_covered(below, mounts)


def _has(options: set[str], option: str) -> bool:
    return HARMLESS[option] not in options if option in HARMLESS else option in options
