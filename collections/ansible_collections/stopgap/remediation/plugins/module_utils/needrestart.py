# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A second opinion on old code, where needrestart is installed: what it says is held against what we saw."""

import re
import shutil

from ansible_collections.stopgap.remediation.plugins.module_utils import processes
from ansible_collections.stopgap.remediation.plugins.module_utils.command import environment, execute
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise

# Batch mode, list only, libraries and programs only. -v names each process and the first old file of it; one that its
# blacklist then drops is not spoken of again.
ARGUMENTS = ["-v", "-b", "-r", "l", "-l"]
TIMEOUT = 120
USES = re.compile(r"#(\d+) uses [a-z -]+(/.*)?$", re.MULTILINE)
COUNTED = re.compile(r"#(\d+) (?:is|part) ", re.MULTILINE)


def second_opinion(packages, found):
    """Both answers in one sentence where they differ; empty where they agree, or there is nobody to ask."""
    tool = shutil.which("needrestart", path=environment()["PATH"])
    told = ask(tool) if tool else None
    return "" if told is None else difference(told, found, processes.owners_of(packages, processes.package_files))


def ask(tool):
    """{pid: the first old file} as needrestart sees it, None where it gave no answer."""
    try:
        output = execute([tool] + ARGUMENTS, timeout=TIMEOUT)
    except Surprise:
        return None
    if output.rc != 0 or "NEEDRESTART-VER" not in output.stdout:
        return None
    counted = set(COUNTED.findall(output.stderr))
    return {int(pid): path.strip() for pid, path in USES.findall(output.stderr) if pid in counted}


def difference(told, found, owners):
    """It names one file of a process, maybe another package's: so a process counts as seen whatever the file."""
    ours = {process["pid"]: process["name"] for process in found}
    unseen_by_it = {
        process["pid"]: process["name"] for process in found if process["sure"] and process["pid"] not in told
    }
    theirs = {pid: path for pid, path in told.items() if path and processes.owner_of(path, owners, True)}
    unseen_by_us = {pid: path for pid, path in theirs.items() if pid not in ours}
    if not unseen_by_it and not unseen_by_us:
        return ""
    agreed = sorted(set(ours) & set(told))
    return "we see old code in %s, needrestart in %s" % (
        shown({pid: ours[pid] for pid in agreed}, unseen_by_it),
        shown({pid: ours[pid] for pid in agreed}, unseen_by_us),
    )


def shown(agreed, alone):
    """`redis-server (57)`; those seen by one side only come first."""
    named = ["%s (%s)" % (alone[pid], pid) for pid in sorted(alone)]
    named += ["%s (%s)" % (agreed[pid], pid) for pid in sorted(agreed)]
    return ", ".join(named[:5]) + (" and %s more" % (len(named) - 5) if len(named) > 5 else "") or "no process"
