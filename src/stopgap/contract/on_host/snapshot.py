"""Runs on the host, as root: everything a mitigation may change there. Input: {"paths", "trees", "sysctls", …}."""

import fcntl
import hashlib
import json
import os
import stat
import subprocess
import sys

TREES = ("/etc", "/usr/local", "/opt", "/srv", "/var/lib")
# Ours, what the package manager and systemd count, what the shadow tools keep of the version before, and caches.
VOLATILE = (
    "/var/lib/stopgap", "/etc/ansible", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/dnf",
    "/var/lib/systemd", "/var/lib/private", "/var/lib/ucf", "/var/lib/logrotate", "/usr/lib/sysimage",
    "/var/lib/apache2/module", "/var/lib/apache2/site", "/var/lib/apache2/conf",  # who ran a2enmod and its like last
    "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/etc/.pwd.lock",
    "/etc/ld.so.cache", "/etc/mtab", "/etc/resolv.conf", "/etc/apt/sources.list.d", "/opt/stopgap-contract",
    "/etc/cups/subscriptions.conf", "/etc/cups/subscriptions.conf.O",  # cupsd writes them when it pleases
)  # fmt: skip
GETFLAGS = 0x80086601
UNITS = "--type=service,socket,timer,path"
PASSING = ("user@", "user-runtime-dir@", "systemd-", "session", "run-", "ssh@", "dbus-")


def walk(top):
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        for name in sorted(os.listdir(top)):
            path = os.path.join(top, name)
            if path not in VOLATILE:
                yield from walk(path)


def describe(path, exact):
    """Its content, owner, mode, time and attributes; inode and change time too where nothing at all may be written."""
    found = os.lstat(path)
    told = {"mode": oct(found.st_mode), "owner": "%d:%d" % (found.st_uid, found.st_gid), "xattrs": xattrs(path)}
    if stat.S_ISLNK(found.st_mode):
        told["link"] = os.readlink(path)
    if stat.S_ISREG(found.st_mode):
        told.update(content=digest(path), mtime=found.st_mtime_ns, flags=flags(path))
        if exact:
            told.update(inode=found.st_ino, ctime=found.st_ctime_ns)
    return told


def digest(path):
    with open(path, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


def xattrs(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names}
    except OSError:
        return {}


def flags(path):
    """Immutable and append-only, where the file system keeps them."""
    try:
        with open(path, "rb") as handle:
            word = fcntl.ioctl(handle, GETFLAGS, b"\0" * 8)
        return int.from_bytes(word[:4], sys.byteorder) & 0x30
    except OSError:
        return None


def is_daemons_own(path):
    """Below /var/lib what belongs to another than root is a service's data, which changes while it runs."""
    return path.startswith("/var/lib/") and os.lstat(path).st_uid != 0


def said(*command):
    """Lines of its answer; a program that is not there answers nothing."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    except OSError:
        return []
    return [line.rstrip() for line in done.stdout.splitlines() if line.strip()]


def packages():
    listed = said("dpkg-query", "-W", "-f", "${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\n")
    listed = listed or said("rpm", "-qa", "--qf", "%{NAME}.%{ARCH} %{EPOCH}:%{VERSION}-%{RELEASE}\n")
    return {line.split(" ", 1)[0]: line for line in listed}


def units():
    files = {
        line.split()[0]: line.split()[1] for line in said("systemctl", "list-unit-files", "--plain", "--no-legend")
    }
    listed = said("systemctl", "list-units", "--all", UNITS, "--plain", "--no-legend")
    active = {line.split()[0]: line.split()[2] for line in listed}
    kept = {name for name in set(files) | set(active) if not name.startswith(PASSING)}
    # a unit that systemd has not loaded and one that it has loaded and that is inactive are the same thing
    return {name: "%s, %s" % (files.get(name, "-"), active.get(name, "inactive")) for name in kept}


def mounts():
    with open("/proc/self/mounts") as handle:
        lines = [line.split() for line in handle]
    return {line[1]: "%s %s" % (line[2], line[3]) for line in lines if not line[1].startswith(("/run/", "/proc/sys"))}


def sysctl(name):
    try:
        with open("/proc/sys/" + name.replace(".", "/")) as handle:
            return handle.read().strip()
    except OSError as error:
        return error.strerror


def files(asked, exact):
    found = {}
    for top in [*TREES, *asked["trees"], *asked["paths"]]:
        for path in walk(top) if os.path.lexists(top) and top not in asked["paths"] else [top]:
            named = path in asked["paths"] or any(path.startswith(tree + "/") for tree in asked["trees"])
            if not named and any(path == one or path.startswith(one + "/") for one in asked["volatile"]):
                continue
            try:
                if os.path.lexists(path) and (named or not is_daemons_own(path)):
                    found[path] = describe(path, exact)
            except FileNotFoundError:
                pass  # gone while we looked
    return found


def main():
    asked = json.load(sys.stdin)
    told = {
        "file": files(asked, asked["exact"]),
        "package": packages(),
        "unit": units(),
        "mount": mounts(),
        "sysctl": {name: sysctl(name) for name in asked["sysctls"]},
        "firewall": dict.fromkeys(said("nft", "list", "ruleset"), ""),
    }
    if asked["exact"]:
        told["journal"] = {path: describe(path, True) for path in walk("/var/lib/stopgap/journal")}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
