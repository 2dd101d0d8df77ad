# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which processes still run code of a package that is no longer on disk.

This file stands alone (standard library, no sibling): the verifier runs its very source on hosts, as
`python3 -c SOURCE PACKAGE…`, which prints the JSON of `old_code`.
"""

import glob
import json
import os
import re
import sys

DPKG = "/var/lib/dpkg"
MERGED = re.compile(r"/(?:bin|sbin|lib|lib32|lib64|libx32)/")
# What package managers append to a file they are about to replace or remove (rpm: ;hex).
PENDING = re.compile(r"(?:\.dpkg-(?:tmp|new)|;[0-9a-f]{8})$")
PROGRAMS = re.compile(r"/(?:s?bin|lib|libexec)/")
UNIT = re.compile(r"\.(?:service|scope)$")


class Unreadable(OSError):
    """The question cannot be answered here; never to be taken for 'none'."""


def old_code(packages, files=None, proc="/proc"):
    """[{"pid", "name", "unit", "files", "package"}] for each process that maps replaced files of `packages`.

    `files(package)` lists a package's paths. Raises Unreadable where /proc or the package manager does not tell.
    """
    owners = owners_of(packages, files or package_files)
    found = []
    for pid in pids(proc):
        stale = stale_files(proc, pid, owners)
        for package in sorted(stale):
            found.append(
                {
                    "pid": pid,
                    "name": process_name(proc, pid),
                    "unit": unit_of(proc, pid),
                    "files": sorted(stale[package]),
                    "package": package,
                }
            )
    return found


def owners_of(packages, files):
    owners = {}
    for package in packages:
        for path in files(package):
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


def stale_files(proc, pid, owners):
    """{package: set of paths} of replaced files that a process maps; none for a process that has just ended."""
    try:
        maps = read(proc, pid, "maps")
        root = os.readlink(f"{proc}/{pid}/root") if maps else "/"
    except (FileNotFoundError, ProcessLookupError):
        return {}
    except OSError as error:
        raise Unreadable(f"cannot read the maps of process {pid}: {error.strerror}")
    stale = {}
    for path, device, inode in mappings(maps):
        deleted = path.endswith(" (deleted)")
        if deleted:
            path = PENDING.sub("", path[: -len(" (deleted)")])
        path = nameless(proc, pid, owners) if deleted and path == "/" else inside(root, path)
        owner = owner_of(path, owners, deleted)
        if owner and (deleted or replaced(f"{proc}/{pid}/root{path}", device, inode)):
            stale.setdefault(owner, set()).add(path)
    return stale


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


def package_files(package, admin=DPKG):
    """Every path of an installed dpkg package, with what its symlinks lead to."""
    lists = file_lists(package, admin)
    if not lists:
        raise Unreadable(f"no list of the files of {package}: is it installed?")
    moved = diversions(package.partition(":")[0], os.path.join(admin, "diversions"))
    paths = set()
    for name in lists:
        with open(name, encoding="utf-8", errors="replace") as handle:
            paths.update(moved.get(path, path) for path in handle.read().splitlines())
    # redis-server is a link to redis-check-rdb, and that is the name the kernel knows.
    paths.update(os.path.realpath(path) for path in list(paths) if os.path.islink(path))
    return paths


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
        sys.stdout.write(json.dumps(old_code(sys.argv[1:])) + "\n")
    except Unreadable as error:
        raise SystemExit(str(error))
