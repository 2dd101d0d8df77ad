# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which side of each conffile an upgrade kept: a fix that ships as a setting is not there where the old file stays."""

import collections
import hashlib
import os

from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import read

Conffile = collections.namedtuple("Conffile", "package path md5")
# What lies beside a conffile that dpkg (or ucf) had to decide about: the package's version, or the local one.
LEFT_LOCAL = (".dpkg-dist", ".ucf-dist", ".dpkg-new")
LEFT_PACKAGE = (".dpkg-old", ".ucf-old")
OLD = ".dpkg-old"  # what the local side is called once the package's is taken
UCF = "/var/lib/ucf"


def of(packages):
    """The conffiles of installed packages, with the hash of the package's own version."""
    if not packages:
        return []
    text = read(["dpkg-query", "-W", "-f", "${Package}\\n${Conffiles}\\n"] + sorted(packages), rcs=(0, 1))
    return read_conffiles(text) + ucf_files(packages)


def read_conffiles(text):
    """A line without indent is a package, one with it `PATH MD5 [obsolete]`; an obsolete one is nobody's any more."""
    found, package = [], None
    for line in text.splitlines():
        if line and not line.startswith(" "):
            package = line
        elif line.strip() and not line.endswith((" obsolete", " remove-on-upgrade")):
            path, _space, md5 = line.strip().rpartition(" ")
            found.append(Conffile(package, path, md5))
    return found


def ucf_files(packages, folder=UCF):
    """Files that ucf keeps for packages, such as sshd_config: dpkg does not count them as conffiles."""
    hashes = {path: md5 for md5, path in pairs(os.path.join(folder, "hashfile"))}
    return [
        Conffile(package, path, hashes.get(path))
        for package, path in pairs(os.path.join(folder, "registry"))
        if package in packages
    ]


def pairs(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return [line.split(None, 1) for line in handle.read().splitlines() if len(line.split(None, 1)) == 2]
    except OSError:
        return []


def report(conffiles):
    """[{"path", "kept", "other"}] of those that dpkg faced, in this upgrade or in an earlier one."""
    return report_sides(conffiles, is_edited, LEFT_LOCAL, LEFT_PACKAGE)


def report_sides(conffiles, is_edited, left_local, left_package):
    found = []
    for conffile in conffiles:
        kept = "local" if is_edited(conffile) else "package"
        first, second = (left_local, left_package) if kept == "local" else (left_package, left_local)
        other = next((conffile.path + end for end in first + second if os.path.lexists(conffile.path + end)), None)
        if other:
            found.append({"path": conffile.path, "kept": kept, "other": other})
    return found


def still_edited(conffiles, named):
    """Those to take back when the package's are wanted: of the packages `named` every edited one, of their
    siblings only where the package's own version lies beside it, unused."""
    return edited_of(conffiles, named, is_edited, LEFT_LOCAL)


def edited_of(conffiles, named, is_edited, left_local):
    return [
        conffile
        for conffile in conffiles
        if is_edited(conffile)
        and (conffile.package in named or any(os.path.lexists(conffile.path + end) for end in left_local))
    ]


def is_edited(conffile):
    """The file is not the package's own version. One that was removed counts: somebody did that."""
    try:
        with open(conffile.path, "rb") as handle:
            return md5_of(handle.read()) != conffile.md5
    except OSError:
        return True


def md5_of(data):
    """dpkg's own hash of conffiles; not a safeguard, which a FIPS host wants to be told."""
    try:
        return hashlib.md5(data).hexdigest()  # noqa: S324
    except ValueError:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
