# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What is loaded into the kernel, and what modprobe would do.

This file stands alone (standard library, no sibling): the verifier runs its very source on hosts, which prints the
JSON of `facts` of the module named on its command line.
"""

import json
import os
import subprocess
import sys

LOADED = "/proc/modules"
LIBRARY = "/lib/modules"
LIVE = "/sys/module"
BUILT_IN, DEPENDENCIES = "modules.builtin", "modules.dep"  # of a kernel, in its folder of the library
# A command that stands for "this is not loaded"; any other one may load it in its own way.
NOTHING = ("false", "true")


class Unreadable(OSError):
    """The question cannot be answered here; never to be taken for 'not loaded'."""


def facts(name):
    """{"loaded", "built_in", "used_by": [module], "installs": [command line], "on_disk", "has_lists"}"""
    name = plain(name)
    used_by = loaded().get(name)
    return {
        "loaded": used_by is not None,
        "built_in": used_by is None and is_built_in(name),
        "used_by": used_by or [],
        "installs": installs(configuration(), name),
        "on_disk": on_disk(name),
        "has_lists": any(os.path.exists(path_of(index)) for index in (BUILT_IN, DEPENDENCIES)),
    }


def plain(name):
    """- and _ are the same to the kernel."""
    return name.replace("-", "_")


def loaded():
    """{module: [modules that use it]}; a kernel without modules has none."""
    try:
        with open(LOADED) as stream:
            fields = [line.split() for line in stream]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unreadable("cannot read %s: %s" % (LOADED, error.strerror))
    return {field[0]: [user for user in field[3].split(",") if user not in ("", "-")] for field in fields}


def is_built_in(name):
    """Listed as such; or alive without the state that only loaded modules have."""
    live = os.path.join(LIVE, name)
    return listed(name, BUILT_IN) or (
        os.path.isdir(live) and not any(os.path.exists(os.path.join(live, mark)) for mark in ("initstate", "refcnt"))
    )


def on_disk(name):
    return listed(name, DEPENDENCIES)


def path_of(index):
    """Of the kernel that runs. Without its lists only some of what is built in can be told, by /sys/module."""
    return os.path.join(LIBRARY, os.uname().release, index)


def listed(name, index):
    """Lines of an index begin with a path: kernel/fs/cramfs/cramfs.ko.xz[: what it depends on]."""
    try:
        with open(path_of(index), errors="replace") as stream:
            return any(module_of(line.partition(":")[0]) == name for line in stream)
    except OSError:
        return False


def module_of(path):
    return plain(os.path.basename(path.strip()).partition(".ko")[0])


def configuration():
    """All of modprobe's configuration as it understands it: comments are gone, and so is the question which file wins."""
    try:
        child = subprocess.Popen(
            ["modprobe", "--showconfig"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"),
        )
        out, err = child.communicate()
    except OSError as error:
        raise Unreadable("modprobe: cannot be run: %s" % error.strerror)
    if child.returncode != 0:
        raise Unreadable(
            "modprobe --showconfig: exit %s: %s" % (child.returncode, err.decode("utf-8", "replace")[:200])
        )
    return out.decode("utf-8", "replace")


def installs(text, name):
    """The commands that modprobe runs instead of loading the module."""
    words = [line.split(None, 2) for line in text.splitlines()]
    return [word[2] for word in words if len(word) == 3 and word[0] == "install" and plain(word[1]) == name]


def is_nothing(command):
    return os.path.basename(command.split(None, 1)[0]) in NOTHING


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(facts(sys.argv[1])) + "\n")
    except Unreadable as error:
        raise SystemExit(str(error))
