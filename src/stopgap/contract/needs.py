"""What a remedy takes for granted on a host, read from its actions, checks and probes. Pure; prepare.py provides it."""

import platform
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stopgap.contract.asked import archive_name, commands_asked, files_asked, text_for, units_asked
from stopgap.contract.ground import KERNELS

Item = dict[str, Any]
# sysctls that a lab host has of its own; all others are the machine's (docs/how-to/lab.md).
OWN_SYSCTLS = ("net.", "fs.mqueue.", "kernel.shm", "kernel.msg", "kernel.sem", "kernel.hostname", "kernel.domainname")
KERNELS_OWN = ("/proc/", "/sys/")
LOADERS = ("modprobe", "rmmod", "insmod", "kmod")
WINDOWS = ("ansible.windows.", "community.windows.", "win_")


@dataclass(frozen=True)
class Watched:
    """What the snapshots look at beyond the usual places."""

    paths: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    sysctls: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, list[str]]:
        return {key: list(value) for key, value in asdict(self).items()}


@dataclass
class Needs:
    """What has to be there before a remedy can be tried."""

    units: dict[str, dict[str, bool]] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)
    packages: dict[str, str | None] = field(default_factory=dict)  # name -> a version the package action wants
    files: list[Item] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)  # run once the files are there
    users: list[Item] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    archives: list[Item] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    listening: list[str] = field(default_factory=list)  # sockets that a stand-in service has open
    closed_by_fix: list[str] = field(default_factory=list)


def read_needs(remedy: Item) -> Needs:
    needs = Needs()
    for mitigation in usable(remedy):
        for action in mitigation["actions"]:
            ACTIONS.get(action["type"], _nothing)(action["params"], needs)
        for check in mitigation["checks"]:
            _of_check(check, needs, fixing=False)
    written = {item["params"]["path"] for item in _actions(remedy) if item["type"] == "file"}
    for check in fix_checks(remedy):
        _of_check(check, needs, fixing=True, written=written)
    for probe in remedy["affected"]["when"]:
        _of_probe(probe, needs)
    return needs


def watched(remedy: Item, volatile: tuple[str, ...] = ()) -> Watched:
    params = [(action["type"], action["params"]) for action in _actions(remedy)]
    paths = [told["path"] for kind, told in params if kind in ("file", "file_mode", "line", "ini_option")]
    trees = [path for kind, told in params if kind == "archive_member" for path in told["paths"]]
    sysctls = [told["name"] for kind, told in params if kind == "sysctl"]
    return Watched(tuple(paths), tuple(trees), tuple(sysctls), volatile)


def usable(remedy: Item) -> list[Item]:
    return [item for item in remedy["mitigations"] if item["status"] != "withdrawn"]


def fix_checks(remedy: Item) -> list[Item]:
    return [*remedy["checks"], *(check for item in remedy["fix"]["obligations"] for check in item["checks"])]


def has_own_way_back(mitigation: Item) -> bool:
    """Commands and task files write a file's old content anew, and cannot give it its old time."""
    return any(action["type"] in ("command", "tasks") for action in mitigation.get("actions", ()))


def handled_units(remedy: Item) -> list[str]:
    """Units that a mitigation stops, starts, restarts or reloads."""
    steps = [step for item in usable(remedy) for step in item["then"] if step["type"] in ("restart", "reload")]
    named = [action["params"]["name"] for action in _actions(remedy) if action["type"] == "service"]
    return list(dict.fromkeys([*named, *(step["params"] for step in steps)]))


def attested(remedy: Item) -> dict[str, str]:
    """The titles of the obligations that a person has to vouch for, by id."""
    return {item["id"]: item["title"] for item in remedy["fix"]["obligations"] if item["attest"]}


def mitigation_not_here(mitigation: Item, loaded: frozenset[str]) -> str:
    """Why a mitigation cannot be tried on a lab host, or "". `loaded`: the modules of the machine's kernel."""
    for action in mitigation["actions"]:
        params = action["params"]
        if action["type"] == "sysctl" and not params["name"].startswith(OWN_SYSCTLS):
            return f"the sysctl {params['name']} is the machine's own, not the lab host's"
        if action["type"] == "kernel_module" and params["unload"] and params["name"].replace("-", "_") in loaded:
            return (
                f"the module {params['name']} is loaded in the machine's own kernel, which is not the lab's to change"
            )
        if str(params.get("path", "")).startswith(KERNELS_OWN):
            return f"{params['path']} is the machine's own kernel's, not the lab host's"
        if action["type"] == "tasks" and is_windows(params):
            return "its task files are for Windows hosts, which the lab does not have"
    changing = next((argv for argv in _run_by(mitigation) if _is_for_the_kernel(argv)), None)
    return f"`{' '.join(changing)}` is for the machine's own kernel, not the lab host's" if changing else ""


def _run_by(mitigation: Item) -> Iterator[list[str]]:
    """The command lines that change something."""
    for action in mitigation["actions"]:
        if action["type"] == "command":
            yield from (action["params"][part]["run"] for part in ("apply", "revert"))
    yield from (step["params"] for step in mitigation["then"] if step["type"] == "run")


def _is_for_the_kernel(argv: list[str]) -> bool:
    program, words = argv[0].rpartition("/")[2], [word for word in argv[1:] if not word.startswith("-")]
    return program in LOADERS or (program == "sysctl" and not all(word.startswith(OWN_SYSCTLS) for word in words))


def fix_not_here(remedy: Item) -> str:
    """Why a fix cannot be proven on a lab host, or ""."""
    if not remedy["fix"]["packages"]:
        return "the remedy names no package that fixes it"
    kernels = [name for name in remedy["fix"]["packages"] if KERNELS.match(name)]
    if kernels or any(check["type"] == "kernel" for check in fix_checks(remedy)):
        return "lab hosts share the machine's kernel: a fixed one can be installed there but never runs"
    return ""


def not_here(remedy: Item) -> str:
    """Why nothing of a remedy can be tried on a lab host, or ""."""
    tasks = [action for action in _actions(remedy) if action["type"] == "tasks"]
    if tasks and all(is_windows(action["params"]) for action in tasks):
        return "its task files are for Windows hosts, which the lab does not have"
    for probe in remedy["affected"]["when"]:
        if probe["type"] == "sysctl" and not probe["params"]["name"].startswith(OWN_SYSCTLS):
            return f"it depends on the sysctl {probe['params']['name']}, which is the machine's own, not the lab host's"
    return ""


def is_windows(params: Item) -> bool:
    texts = [Path(params[phase]).read_text(errors="replace") for phase in ("apply", "revert") if _exists(params[phase])]
    return any(word in text for text in texts for word in WINDOWS)


def _exists(path: str | None) -> bool:
    return bool(path) and Path(str(path)).is_file()


def _actions(remedy: Item) -> list[Item]:
    return [action for mitigation in usable(remedy) for action in mitigation["actions"]]


# What each type of action takes for granted. A type that is missing here takes nothing for granted.


def _nothing(params: Item, needs: Needs) -> None:
    pass


def _service(params: Item, needs: Needs) -> None:
    """A unit that shall be stopped runs before; one that shall run does not have to."""
    unit = needs.units.setdefault(params["name"], {"running": True, "enabled": True})
    if params["running"]:
        unit["running"] = False


def _file(params: Item, needs: Needs) -> None:
    if params["absent"] or (params["immutable"] is not None and params["content"] is None):
        needs.files.append({"path": params["path"]})
    _validate(params, needs)


def _file_mode(params: Item, needs: Needs) -> None:
    needs.files.append({"path": params["path"], "mode": "4755" if params["mode"] < "1000" else "0644"})
    owners = {"name": params["owner"], "groups": [params["group"]] if params["group"] else [], "member": False}
    needs.users += [owners] if params["owner"] or params["group"] else []


def _line(params: Item, needs: Needs) -> None:
    wanted = params["match"] if params["absent"] else params["after"]
    needs.files.append({"path": params["path"], **text_for(wanted), "validate": params["validate"]})
    _validate(params, needs)


def _ini_option(params: Item, needs: Needs) -> None:
    file = {"path": params["path"], "validate": params["validate"]}
    if params["absent"]:
        file["ini"] = [params["section"], params["option"]]
    needs.files.append(file)
    _validate(params, needs)


def _validate(params: Item, needs: Needs) -> None:
    if params["validate"]:
        needs.programs.add(params["validate"][0])


def _sshd_option(params: Item, needs: Needs) -> None:
    needs.programs.add("sshd")


def _kernel_module(params: Item, needs: Needs) -> None:
    """One that lies nowhere is kept from nothing. Lab hosts run the machine's kernel, mostly without its modules."""
    needs.programs.add("modprobe")
    name, listed = params["name"], f"/lib/modules/{platform.release()}/modules.dep"
    pattern = "/" + "[-_]".join(map(re.escape, re.split("[-_]", name))) + r"\.ko"
    needs.files.append({"path": listed, "pattern": pattern, "text": f"kernel/stopgap-standin/{name}.ko:"})


def _package(params: Item, needs: Needs) -> None:
    needs.packages[params["name"]] = params["version"]


def _firewall(params: Item, needs: Needs) -> None:
    needs.programs.add("nft")


def _archive_member(params: Item, needs: Needs) -> None:
    needs.archives.append({key: params[key] for key in ("paths", "member", "archives")})


def _user_setting(params: Item, needs: Needs) -> None:
    member, other = params["not_in_groups"] or [], params["in_groups"] or []
    needs.users.append({"name": params["user"], "groups": member, "member": True})
    needs.users += [{"name": None, "groups": other, "member": False}] if other else []
    if params["shell"]:
        needs.programs.add(params["shell"])
    if params["sudoers"]:
        needs.programs.add("visudo")


def _mount_option(params: Item, needs: Needs) -> None:
    needs.mounts.append(params["path"])


def _command(params: Item, needs: Needs) -> None:
    needs.programs |= {params[part]["run"][0] for part in ("check", "apply", "revert")}


ACTIONS = {
    "service": _service,
    "file": _file,
    "file_mode": _file_mode,
    "line": _line,
    "ini_option": _ini_option,
    "sshd_option": _sshd_option,
    "kernel_module": _kernel_module,
    "package": _package,
    "firewall": _firewall,
    "archive_member": _archive_member,
    "user_setting": _user_setting,
    "mount_option": _mount_option,
    "command": _command,
}


def _of_check(check: Item, needs: Needs, *, fixing: bool, written: set[str] | frozenset[str] = frozenset()) -> None:
    kind, params = check["type"], check["params"]
    if kind == "command":
        needs.programs.add(params["run"][0])
    elif kind == "service":
        needs.units.setdefault(params["name"], {"running": True, "enabled": True})
    elif kind == "socket":
        needs.listening.append(params["address"])
        needs.closed_by_fix += [params["address"]] if fixing and not params["listening"] else []
    elif kind == "file" and fixing and params["exists"] is not False and params["path"] not in written:
        needs.files.append({"path": params["path"], **text_for(params["matches"]), "mode": params["mode"]})
    elif kind == "mount" and fixing:
        needs.mounts.append(params["path"])
    elif kind == "user" and fixing:
        needs.users.append({"name": params["name"], "groups": params["in_groups"] or [], "member": True})


def _of_probe(probe: Item, needs: Needs) -> None:
    kind, params = probe["type"], probe["params"]
    if kind == "service_active":
        needs.units[params] = {"running": True, "enabled": True}
    elif kind == "file_has":
        needs.files.append({"path": params["path"], **text_for(params["matches"])})
    elif kind == "sysctl":
        needs.sysctls[params["name"]] = params["value"]
    elif kind == "command":
        needs.programs.add(params["run"][0])
        needs.files += list(files_asked(params))
        needs.commands += commands_asked(params)
        needs.units |= {unit: {"running": True, "enabled": True} for unit in units_asked(params)}
        for archive in needs.archives:
            archive["name"] = archive_name(params) or archive.get("name")
