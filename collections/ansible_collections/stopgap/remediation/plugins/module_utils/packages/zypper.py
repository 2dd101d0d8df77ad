# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What zypper can fetch and install. Nothing is removed, and nothing but the named packages is asked for.

`zypper patch` is not used: without a terminal it skips a patch that suggests a reboot, and says that none is needed.
"""

import html
import re
import time

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import locks, rpm, rpmfiles, rpmholds
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, run

MEND = "zypper verify and rpm -Va, then zypper install --force of what is broken"
RELEASE = "release it with zypper removelock"
UPDATE_SECONDS = 600
INSTALL_SECONDS = 3600
ZYPPER = ("zypper", "--non-interactive", "--xmlout")
PID_FILES = ("/run/zypp.pid",)
RPM_LOCKS = ("/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/.rpm.lock")
AGAINST_CHANGE = ("--no-recommends", "--no-force-resolution", "--auto-agree-with-licenses")
# zypper(8), EXIT CODES. 102 and 103 are successes that ask for more: a reboot, and zypper once more with what it has
# just installed of itself. 106 says that a repository was left out, 107 that a script failed with the files in place (rpm
# has the last word on that); 100 and 101 are patch-check's.
DONE = (0, 100, 101, 102, 106, 107)
AGAIN = 103
LOCKED_RC = 7
NOTHING_FOUND = 104
NOTES = {
    102: "zypper says a reboot is due",
    106: "zypper left out a repository that it could not refresh",
    107: "a script of a package failed",
}
CODES = {
    LOCKED_RC: ("lock_timeout", True),
    NOTHING_FOUND: ("no_candidate", True),
}
# Where the exit code says no more than "it failed"; the first that matches names what went wrong.
COMPLAINTS = (
    (re.compile(r"is locked|remove lock to allow"), "held", True),
    (re.compile(r"[Nn]ot enough (?:disk )?space|No space left|needs \S+ more"), "disk_full", False),
    (re.compile(r"[Ss]ignature verification failed|not signed|unsigned|Public key"), "unauthenticated", True),
    (
        re.compile(
            r"[Dd]ownload \(?[Cc]url\)? ?error|not found on medium|Failed to (?:provide|download)|Can't provide"
        ),
        "download_failed",
        True,
    ),
    (re.compile(r"nothing provides|conflicts with|Problem:|cannot be installed"), "dependencies", True),
    (re.compile(r"Subprocess failed|RPM failed|scriptlet|[Ii]nstallation of .* failed"), "rpm_failed", False),
)
SOLVABLE = re.compile(r"<solvable ([^>]*?)/?>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
MESSAGE = re.compile(r'<message type="(error|warning|info)">(.*?)</message>', re.DOTALL)
PROBLEM = re.compile(r"<description>(Problem.*?)(?: Solution|</description>)", re.DOTALL)
REMOVED = re.compile(r"<to-remove>(.*?)</to-remove>", re.DOTALL)


def update(limit):
    """Fetch the metadata, waiting `limit` seconds for a lock; returns what could not be fetched, or an empty string."""
    result = zypper(["refresh"], limit, UPDATE_SECONDS)
    told = errors_of(result.output)  # it says 0 although repositories failed
    return "; ".join(told[:3])[:600] or (f"zypper refresh: exit code {result.rc}" if result.rc else "")


def candidates(names):
    """{name: {"version", "source_version"}}: the newest that the repositories have.

    Where a name is installed for several architectures, the newest that there is for all of them.
    """
    return rpm.best_of(offers(names))


def offers(names):
    """{name: {version: architectures}} of everything the repositories have, read from what was fetched last."""
    if not names:
        return {}
    argv = [*ZYPPER, "--no-refresh", "search", "--details", "--match-exact", "--type", "package", "--", *sorted(names)]
    output = command.execute(argv, timeout=300)
    if output.rc not in (*DONE, NOTHING_FOUND):
        raise Surprise(
            f"zypper search: exit code {output.rc}: {'; '.join(errors_of(output.stdout)) or command.excerpt(output)}"
        )
    found = {}
    for one in solvables(output.stdout):
        if one.get("name") in names and one.get("repository") != "(System Packages)":
            found.setdefault(one["name"], {}).setdefault(plain(one["edition"]), set()).add(one["arch"])
    return found


def plain(edition):
    """zypper writes an epoch of 0 nowhere but where a repository does."""
    return edition[2:] if edition.startswith("0:") else edition


def solvables(text):
    return [{key: html.unescape(value) for key, value in ATTRIBUTE.findall(one)} for one in SOLVABLE.findall(text)]


def pinned(names):
    """{name: sentence} of names with a newer version that is in a repository and kept back by this host's own rules."""
    locked = {lock.pattern: lock.where for lock in rpmholds.locks()}
    return {name: f"is locked in {locked[name]}" for name in names if name in locked}


def spec(fact, version):
    """One package at one version as zypper takes it."""
    return f"{fact['name']}.{fact['arch']}={version}"


def install(wanted, conffiles, limit, reinstall=False):
    """Bring exactly `wanted` onto the host; InstallError says what stood in the way.

    Returns what zypper said beside having done it, or an empty string.
    """
    names = [one.partition("=")[0].rpartition(".")[0] for one in wanted]
    if reinstall:
        rpmfiles.take_new(names)  # a .rpmnew from an earlier upgrade is all it takes
    with rpmfiles.set_aside(names if reinstall else []):
        note = transact(wanted, ["--force"] if reinstall else [], limit)
    if conffiles == "replace":
        rpmfiles.take_new(names)
    return note


def transact(wanted, options, limit):
    preview(wanted, options, limit)
    argv = ["--no-refresh", "install", *AGAINST_CHANGE, *options, "--", *wanted]
    result = zypper(argv, limit, INSTALL_SECONDS)
    if result.rc == AGAIN:
        result = zypper(argv, limit, INSTALL_SECONDS)
    if result.rc not in (*DONE, AGAIN):
        raise complaint(result)
    return NOTES.get(result.rc, "")


def simulate(wanted):
    """InstallError if zypper would not install `wanted`. Fetches nothing, changes nothing."""
    preview(wanted, [], 0)


def moves(wanted):
    """[{"name", "arch", "before", "after"}] of all that zypper would change; `before` is None for what comes new."""
    planned = [one for one in solvables(preview(wanted, [], 0)) if one.get("type") == "package"]
    found = {(one["name"], one["arch"]): one for one in planned}  # a change of vendor is listed apart, and again
    return [
        {
            "name": name,
            "arch": arch,
            "before": plain(one["edition-old"]) if "edition-old" in one else None,
            "after": plain(one["edition"]),
        }
        for (name, arch), one in sorted(found.items())
    ]


def preview(wanted, options, limit):
    """zypper's own plan for it, which may not take anything away."""
    argv = ["--no-refresh", "install", "--dry-run", *AGAINST_CHANGE, *options, "--", *wanted]
    result = zypper(argv, limit, UPDATE_SECONDS)
    if result.rc not in (*DONE, AGAIN):
        raise complaint(result, tried=False)
    gone = erased(result.output)
    if gone:
        raise InstallError("removal_needed", f"zypper would remove {', '.join(gone)}", clean=True)
    return result.output


def erased(output):
    """What a plan takes away. Of two architectures of one name zypper keeps one, and calls it a change of architecture."""
    gone = {one["name"] for part in REMOVED.findall(output) for one in solvables(part)}
    changed = [one for one in solvables(output) if one.get("arch-old", one.get("arch")) != one.get("arch")]
    return sorted(gone | {f"{one['name']}.{one['arch-old']}" for one in changed})


def zypper(argv, limit, timeout):
    """One zypper, begun when nobody else holds a lock; it waits for its own lock itself."""
    left = locks.wait(time.monotonic() + limit, RPM_LOCKS, PID_FILES)
    return run([*ZYPPER, *argv], timeout, ZYPP_LOCK_TIMEOUT=str(left))


def complaint(result, tried=True):
    """What zypper said, as an InstallError; a preview (not `tried`) has changed nothing."""
    reason = f"zypper: {'; '.join(told(result.output)[:4]) or 'exit code %s' % result.rc}"[:600]
    code, clean = CODES.get(result.rc, ("zypper_failed", False))
    if result.rc not in CODES:
        found = ((code, clean) for pattern, code, clean in COMPLAINTS if pattern.search(result.output))
        code, clean = next(found, (code, clean))
    return InstallError(code, reason, clean or not tried)


def told(output):
    """Its errors, else the problems that its solver describes, else its last words."""
    problems = [" ".join(html.unescape(text).split()) for text in PROBLEM.findall(output)]
    return errors_of(output) or problems or [text for _kind, text in messages(output)][-2:]


def errors_of(output):
    return [text for kind, text in messages(output) if kind == "error"]


def messages(output):
    return [(kind, " ".join(html.unescape(text).split())) for kind, text in MESSAGE.findall(output) if text.strip()]
