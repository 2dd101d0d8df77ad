# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which side of each configuration file an rpm upgrade kept: .rpmnew lies beside the local one, .rpmsave beside the
package's."""

import contextlib
import hashlib
import os
import stat

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import conffiles, rpm
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.conffiles import Conffile

FORMAT = "[%{=NAME}\\t%{FILENAMES}\\t%{FILEDIGESTS}\\t%{FILEFLAGS:fflags}\\t%{FILEMODES:octal}\\n]"
LEFT_LOCAL = (".rpmnew",)
LEFT_PACKAGE = (".rpmsave", ".rpmorig")
OLD = ".rpmsave"
HASHES = {32: hashlib.md5, 40: hashlib.sha1, 64: hashlib.sha256, 96: hashlib.sha384, 128: hashlib.sha512}


def of(packages):
    """The configuration files of installed packages, with the hash of the package's own version."""
    found = [read_line(line) for line in (rpm.query(FORMAT, sorted(packages)) if packages else [])]
    return [conffile for conffile in found if conffile]


def read_line(line):
    """None for what is no configuration file, or is a ghost: those have no version of the package's."""
    package, path, digest, flags, mode = line.split("\t")
    if "c" not in flags or "g" in flags or not stat.S_ISREG(int(mode, 8)):
        return None
    return Conffile(package, path, digest)


def report(found):
    """[{"path", "kept", "other"}] of those that rpm faced, in this upgrade or in an earlier one."""
    return conffiles.report_sides(found, is_edited, LEFT_LOCAL, LEFT_PACKAGE)


def still_edited(found, named):
    return conffiles.edited_of(found, named, is_edited, LEFT_LOCAL)


def is_edited(conffile):
    """The file is not the package's own version. One that was removed counts: somebody did that."""
    make = HASHES.get(len(conffile.md5))
    try:
        with open(conffile.path, "rb") as handle:
            return make is None or make(handle.read()).hexdigest() != conffile.md5
    except OSError:
        return True


def take_new(packages):
    """Put each .rpmnew in force that is the package's present version; the local one stays beside it as .rpmsave."""
    for conffile in of(packages):
        new = conffile.path + LEFT_LOCAL[0]
        if os.path.lexists(new) and not is_edited(conffile._replace(path=new)):
            if os.path.lexists(conffile.path):
                move(conffile.path, conffile.path + OLD)
            move(new, conffile.path)


@contextlib.contextmanager
def set_aside(packages):
    """rpm writes a configuration file anew only where none lies: the edited ones step aside, and back if it fails."""
    moved = [conffile.path for conffile in of(packages) if is_edited(conffile) and os.path.lexists(conffile.path)]
    for path in moved:
        move(path, path + OLD)
    try:
        yield
    finally:
        for path in moved:
            if not os.path.lexists(path):
                move(path + OLD, path)


def move(path, to):
    os.replace(path, to)
    durable.sync_folder(os.path.dirname(to))
