# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which processes still run code of a package that is no longer on disk.

Mapped code tells by itself: the kernel marks a replaced file. Code that is read (scripts, modules of an interpreter) leaves no
mark, so the start of the process is held against the installation of the package; where even that does not tell, the
answer is "may": `sure` is false.

This file stands alone (standard library, no sibling): the verifier runs its very source on hosts, as
`python3 -c SOURCE PACKAGE…`, which prints the JSON of `old_code`, or with `--gone` that of `gone_code`.
"""

import collections
import glob
import json
import os
import re
import subprocess
import sys
import time

DPKG = "/var/lib/dpkg"
MERGED = re.compile(r"/(?:bin|sbin|lib|lib32|lib64|libx32)/")
# What package managers append to a file they are about to replace or remove (rpm: ;hex).
PENDING = re.compile(r"(?:\.dpkg-(?:tmp|new)|;[0-9a-f]{8})$")
PROGRAMS = re.compile(r"/(?:s?bin|lib|libexec)/")
UNIT = re.compile(r"\.(?:service|scope)$")
# A package's files that nobody runs, though a process may hold or name one.
DATA = re.compile(r"/(?:etc|var|run|srv|home)/|/usr/share/(?:doc|man|info|locale)/")
UNIT_FILE = re.compile(r"/systemd/(?:system|user)/([^/]+)$")

# An interpreter is known by a file it maps; `modules` are those files of a package that any program of the language may
# have loaded, whatever its name. A JVM holds its jars open and a shell its script, so there the open files tell.
Language = collections.namedtuple("Language", "mapped modules")
LANGUAGES = (
    Language(
        re.compile(r"/(?:lib)?python[23][^/]*$"),
        re.compile(r"/(?:dist|site)-packages/.*\.py$|/lib/python3[^/]*/.*\.py$"),
    ),
    Language(re.compile(r"/(?:perl[0-9.]*|libperl\.so[^/]*)$"), re.compile(r"/perl[^/]*/.*\.p[mlh]$")),
    Language(re.compile(r"/(?:ruby[0-9.]*|libruby[^/]*)$"), re.compile(r"/(?:ruby|vendor_ruby|gems)/.*\.rb$")),
    Language(re.compile(r"/(?:node|nodejs|libnode\.so[^/]*)$"), re.compile(r"/(?:nodejs|node_modules)/.*\.[cm]?js$")),
    Language(re.compile(r"/php[0-9.]*$"), re.compile(r"/usr/share/php/.*\.php$")),
    Language(re.compile(r"/(?:java|libjvm\.so|(?:ba|da|z|k)?sh|lua[0-9.]*|tclsh[0-9.]*|mono[^/]*)$"), None),
)
Process = collections.namedtuple("Process", "pid root maps opened")
CLOCK_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", 7)  # has no name before Python 3.7


class Unreadable(OSError):
    """The question cannot be answered here; never to be taken for 'none'."""


def old_code(packages, files=None, proc="/proc", installed_at=None):
    """[{"pid", "name", "unit", "files", "package", "sure"}] of processes on replaced files of `packages`.

    `sure` is false where a process may have read the old files and nothing tells whether it did.
    `files(package)` lists a package's paths, `installed_at(package)` says when they came (seconds). Raises Unreadable
    where /proc or the package manager does not tell.
    """
    owners = owners_of(packages, files or package_files)
    loadable, found = loadable_of(owners), []
    for process in filter(None, (look(proc, pid) for pid in pids(proc))):
        stale = stale_files(proc, process, owners)
        read_before = read_files(proc, process, owners, loadable, installed_at or install_time)
        for package in sorted(set(stale) | set(read_before)):
            sure, paths = (True, stale[package]) if package in stale else read_before[package]
            found.append(
                {
                    "pid": process.pid,
                    "name": process_name(proc, process.pid),
                    "unit": unit_of(proc, process.pid),
                    "files": sorted(paths),
                    "package": package,
                    "sure": sure,
                }
            )
    return found


def gone_code(proc="/proc"):
    """[{"pid", "name", "path"}] of processes that run a file nothing has replaced: its package was removed, or was another."""
    found = []
    for process in filter(None, (look(proc, pid) for pid in pids(proc))):
        for mapped in sorted(path for path, _device, _inode in process.maps if path.endswith(" (deleted)")):
            path = inside(process.root, PENDING.sub("", mapped[: -len(" (deleted)")]))
            there = os.path.lexists(f"{proc}/{process.pid}/root{path}") and path != "/"
            if (path == "/" or PROGRAMS.search(path)) and not there:
                found.append({"pid": process.pid, "name": process_name(proc, process.pid), "path": path})
                break
    return found


def owners_of(packages, files):
    owners = {}
    for package in packages:
        for path in files(package):
            if not path.startswith("/dev/"):  # a unit that is shipped masked is a link to /dev/null
                owners.setdefault(canonical(path), package)
    return owners


def canonical(path):
    """One name for a file on merged-/usr hosts, where dpkg may list /lib/x and the kernel say /usr/lib/x."""
    return "/usr" + path if MERGED.match(path) else path


def pids(proc):
    try:
        numbers = sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError as error:
        raise Unreadable(f"cannot list {proc}: {error.strerror}")
    if 1 not in numbers:  # hidepid, or /proc not mounted: what we cannot see could be anything
        raise Unreadable(f"{proc} does not show every process")
    return [number for number in numbers if number != os.getpid()]  # we end before anybody acts on this


def look(proc, pid):
    """What a process maps and holds open; None for one that has just ended, and for a thread of the kernel."""
    try:
        maps = read(proc, pid, "maps")
        if not maps:
            return None
        return Process(pid, os.readlink(f"{proc}/{pid}/root"), mappings(maps), opened(f"{proc}/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise Unreadable(f"cannot read the maps of process {pid}: {error.strerror}")


def opened(folder):
    """{path of its link: what it leads to} for the files a process holds open."""
    links = {}
    for number in os.listdir(folder):
        try:
            links[f"{folder}/{number}"] = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:  # closed meanwhile
            continue
    return {link: path for link, path in links.items() if path.startswith("/")}


# --- code that is mapped or held open: the file itself tells


def stale_files(proc, process, owners):
    """{package: set of paths} of replaced files that a process maps or holds open."""
    stale = {}
    for path, device, inode in process.maps:
        path, deleted = named(proc, process, path, owners)
        owner = owner_of(path, owners, deleted)
        if owner and (deleted or replaced(f"{proc}/{process.pid}/root{path}", device, inode)):
            stale.setdefault(owner, set()).add(path)
    for link, path in process.opened.items():
        path, deleted = named(proc, process, path, owners)
        owner = None if DATA.match(path) else owner_of(path, owners, deleted)
        if owner and (deleted or another(f"{proc}/{process.pid}/root{path}", link)):
            stale.setdefault(owner, set()).add(path)
    return stale


def named(proc, process, path, owners):
    """(the path as the process sees it, is it deleted)."""
    if not path.endswith(" (deleted)"):
        return inside(process.root, path), False
    path = PENDING.sub("", path[: -len(" (deleted)")])
    return (nameless(proc, process.pid, owners) if path == "/" else inside(process.root, path)), True


def another(path, link):
    """Another file lies at the path than the one held open. stat answers for both, so any file system will do."""
    try:
        there, held = os.stat(path), os.stat(link)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)


def mappings(maps):
    """The distinct (path, device, inode) of the files in /proc/PID/maps."""
    found = set()
    for line in maps.splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith("/"):
            found.add((fields[5], fields[3], fields[4]))
    return found


def inside(root, path):
    """A path as the process sees it: from outside a chroot, its prefix shows."""
    return path[len(root) :] if root != "/" and path.startswith(root + "/") else path


def nameless(proc, pid, owners):
    """The program of a process for which the kernel has only `/ (deleted)`.

    That is what is left of a file that was a mount of its own, as systemd makes one for ExecPaths= (redis-server):
    replacing the file takes its mount away, and with it the path.
    """
    try:
        started_as, name = read(proc, pid, "cmdline").split("\0")[0].split(" ")[0], process_name(proc, pid)
    except OSError:
        return "/"
    if canonical(started_as) in owners:
        return started_as
    return next((path for path in sorted(owners) if PROGRAMS.search(path) and os.path.basename(path)[:15] == name), "/")


def owner_of(path, owners, deleted):
    """The package a path belongs to. A deleted libx.so.1.8.7 belonged to whoever ships libx.so.1 now."""
    path = canonical(path)
    owner = owners.get(path)
    while owner is None and deleted and ".so." in path:
        path = path.rpartition(".")[0]
        owner = owners.get(path)
    return owner


def replaced(path, device, inode):
    """Another file lies at the path than the one mapped.

    Only where the kernel and stat speak of the same device: on overlayfs and btrfs they need not, and a
    difference would mean nothing.
    """
    try:
        status = os.stat(path)
    except OSError:
        return False
    here = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    return here == device and str(status.st_ino) != inode


# --- code that is read: the start of the process tells, or nothing does


def loadable_of(owners):
    """{language or unit: {package: one path}}: what a process may have read that names none of it."""
    found = {}
    for path, package in sorted(owners.items()):
        unit = UNIT_FILE.search(path)
        if unit:
            found.setdefault(unit.group(1), {}).setdefault(package, path)
        for language in LANGUAGES:
            if language.modules and language.modules.search(path):
                found.setdefault(language, {}).setdefault(package, path)
    return found


def read_files(proc, process, owners, loadable, installed_at):
    """{package: (sure, set of paths)} of an interpreter that started before the files of a package came.

    Sure where it was started with one of them; else it may have loaded a module, or belong to a unit of the package.
    """
    mapped = [path for path, _device, _inode in process.maps]
    languages = [language for language in LANGUAGES if any(language.mapped.search(path) for path in mapped)]
    if not languages:
        return {}
    found = {}
    for path in arguments(proc, process.pid):
        if canonical(path) in owners and not DATA.match(path):
            found.setdefault(owners[canonical(path)], (True, set()))[1].add(path)
    unit = unit_of(proc, process.pid) or ""
    for key in languages + [unit, re.sub(r"@.*(?=\.)", "@", unit)]:
        for package, path in loadable.get(key, {}).items():
            found.setdefault(package, (False, {path}))
    return {package: told for package, told in found.items() if not is_newer(proc, process.pid, installed_at(package))}


def arguments(proc, pid):
    """What a process was started with, as far as it may be paths."""
    try:
        words, folder = read(proc, pid, "cmdline").split("\0")[1:], os.readlink(f"{proc}/{pid}/cwd")
    except OSError:
        return []
    return [os.path.normpath(os.path.join(folder, part)) for word in words if word for part in word.split(":")]


def is_newer(proc, pid, moment):
    """The process began after that moment. CLOCK_BOOTTIME: a container may show another uptime than the kernel's."""
    try:
        ticks = int(read(proc, pid, "stat").rpartition(")")[2].split()[19])
    except OSError:
        return True  # it has ended
    booted = time.time() - time.clock_gettime(CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK") > moment


# --- who a process is


def process_name(proc, pid):
    try:
        return read(proc, pid, "comm").strip()
    except OSError:
        return ""


def unit_of(proc, pid):
    """The systemd unit of a process as this host's manager knows it, or None."""
    own, manager = cgroups(proc, pid), cgroups(proc, 1)
    for hierarchy in ("name=systemd", ""):  # systemd's own (v1 and hybrid), the unified one
        path = own.get(hierarchy, "")
        # A container that shares its host's view of cgroups starts further down: where its manager sits.
        top = manager.get(hierarchy, "").rpartition("/init.scope")[0]
        path = path[len(top) :] if path.startswith(top + "/") else path
        unit = next((part for part in path.split("/") if UNIT.search(part)), None)
        if unit:
            return unit
    return None


def cgroups(proc, pid):
    """{hierarchy: path}; empty for a process that has ended."""
    try:
        lines = read(proc, pid, "cgroup").splitlines()
    except OSError:
        return {}
    return {hierarchy: path for _number, hierarchy, path in (line.split(":", 2) for line in lines)}


def read(proc, pid, name):
    with open(f"{proc}/{pid}/{name}", encoding="utf-8", errors="replace") as handle:
        return handle.read()


# --- what a package has


def package_files(package, admin=DPKG):
    """Every path of an installed package, with what its symlinks lead to."""
    lists = file_lists(package, admin)
    if lists:
        paths = dpkg_files(package, lists, admin)
    else:
        paths = set(line for line in rpm(package, "-l").splitlines() if line.startswith("/"))
    # redis-server is a link to redis-check-rdb, and that is the name the kernel knows.
    paths.update(os.path.realpath(path) for path in list(paths) if os.path.islink(path))
    return paths


def dpkg_files(package, lists, admin):
    moved = diversions(package.partition(":")[0], os.path.join(admin, "diversions"))
    paths = set()
    for name in lists:
        with open(name, encoding="utf-8", errors="replace") as handle:
            paths.update(moved.get(path, path) for path in handle.read().splitlines())
    return paths


def install_time(package, admin=DPKG):
    """When the files of a package came onto this host, in seconds: dpkg writes its list of them anew each time."""
    lists = file_lists(package, admin)
    if lists:
        return max(os.stat(name).st_mtime for name in lists)
    return max(float(line) for line in rpm(package, "--queryformat", "%{INSTALLTIME}\\n").split())


def rpm(package, *options):
    """What rpm says of an installed package; Unreadable where it is not installed, or there is no rpm."""
    argv = ["rpm", "-q", *options, package]
    try:
        return subprocess.check_output(argv, stderr=subprocess.STDOUT, env=dict(os.environ, LC_ALL="C")).decode(
            "utf-8", "replace"
        )
    except (OSError, subprocess.CalledProcessError):
        raise Unreadable(f"no list of the files of {package}: is it installed?")


def file_lists(package, admin=DPKG):
    """dpkg's own lists of a package's files, one an architecture; none for a package that is not installed."""
    info = os.path.join(admin, "info", glob.escape(package))
    return glob.glob(info + ".list") + glob.glob(info + ":*.list")


def diversions(package, path):
    """{listed path: where it really lies} for files of a package that others have diverted."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            lines = handle.read().splitlines()
    except OSError:
        return {}
    triples = (lines[start : start + 3] for start in range(0, len(lines) - 2, 3))
    return {source: target for source, target, diverter in triples if diverter != package}


if __name__ == "__main__":
    try:
        answer = gone_code() if sys.argv[1:] == ["--gone"] else old_code(sys.argv[1:])
        sys.stdout.write(json.dumps(answer) + "\n")
    except Unreadable as error:
        raise SystemExit(str(error))
