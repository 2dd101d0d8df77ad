# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Older versions of packages: where this host can have them again, and how they are put back.

A move is {"name", "arch", "before", "after"}; `before` is None for a package that was not there.
"""

import collections
import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import apt, dnf, zypper
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, read

CACHE = "/var/cache/apt/archives"
# Inst redis-server [5:7.0.15-1~deb12u7] (5:7.0.15-1~deb12u10 Debian-Security:12/stable-security [amd64])
PLANNED = re.compile(r"^Inst (\S+?)(?::\S+)? (?:\[(\S+)\] )?\((\S+) (?:.* )?\[([\w-]+)\]\)", re.MULTILINE)

# moves(wanted): what the package manager would change for it, or None where only it knows;
# where(move): "cache", "repository" or None; put_back(moves, limit)
Past = collections.namedtuple("Past", "moves where put_back")


# --- apt


def apt_moves(wanted):
    return read_moves(apt.dry_run(wanted))


def read_moves(output):
    return [
        {"name": name, "arch": arch, "before": before or None, "after": after}
        for name, before, after, arch in PLANNED.findall(output)
    ]


def apt_where(move):
    if os.path.isfile(archive(move)):
        return "cache"
    listed = read(["apt-cache", "madison", apt.spec(move, "").rstrip("=")], rcs=(0, 100))
    versions = [line.split("|")[1].strip() for line in listed.splitlines() if line.count("|") >= 2]
    return "repository" if move["before"] in versions else None


def archive(move):
    """Where apt keeps what it fetched; a colon would be no file name everywhere."""
    return f"{CACHE}/{move['name']}_{move['before'].replace(':', '%3a')}_{move['arch']}.deb"


def apt_put_back(moves, limit):
    """A version that no repository has any more is given as its file. What was installed by itself stays marked so."""
    names = [apt.spec(move, "").rstrip("=") for move in moves]
    automatic = read(["apt-mark", "showauto"] + names).split()
    wanted = []
    for move in moves:
        place = apt_where(move)
        if place is None:
            raise InstallError("no_old_version", f"{move['name']} {move['before']} cannot be had any more", clean=True)
        wanted.append(archive(move) if place == "cache" else apt.spec(move, move["before"]))
    apt.install(wanted, "keep", limit, downgrade=True)
    if automatic:
        read(["apt-mark", "auto"] + automatic)


# --- dnf and zypper


def offered_by(installer):
    """`where` for an installer that lists everything its repositories have."""

    def where(move):
        there = installer.offers([move["name"]]).get(move["name"], {}).get(move["before"], ())
        return "repository" if move["arch"] in there else None

    return where


def dnf_put_back(moves, limit):
    dnf.transact([dnf.spec(move, move["before"]) for move in moves], "downgrade", limit)


def zypper_put_back(moves, limit):
    zypper.transact([zypper.spec(move, move["before"]) for move in moves], ["--oldpackage"], limit)


APT = Past(apt_moves, apt_where, apt_put_back)
DNF = Past(dnf.moves, offered_by(dnf), dnf_put_back)
ZYPPER = Past(zypper.moves, offered_by(zypper), zypper_put_back)
