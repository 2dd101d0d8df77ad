# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What dnf (yum, where that is all there is) can fetch and install. Nothing is removed, and nothing but the named
packages is asked for.

`dnf check-update --security` names a package's latest build, not the advisory's: candidates are compared with the
remedy's fixed versions and with nothing else.
"""

import os
import re
import time

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import locks, rpm, rpmfiles, rpmholds
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, Result, read, run

MEND = "dnf check and dnf remove --duplicates, or yum-complete-transaction"
RELEASE = "release it with dnf versionlock delete, or take it out of exclude= in dnf.conf"
UPDATE_SECONDS = 600
INSTALL_SECONDS = 3600
DNF = "/usr/bin/dnf"
HISTORY = "/var/lib/dnf/history.sqlite"
# One repository that is down keeps back what is in it, not all the others. Kernels are not thrown out for the new one.
SETTINGS = ("--setopt=*.skip_if_unavailable=1", "--setopt=exit_on_lock=1", "--setopt=install_weak_deps=0")
SETTINGS += ("--setopt=installonly_limit=0", "--setopt=clean_requirements_on_remove=0", "--setopt=best=1")
YUM_SETTINGS = ("--setopt=skip_if_unavailable=1", "--setopt=exit_on_lock=1", "--setopt=installonly_limit=0")
# A dead mirror is to be told within a minute, not within ten.
IMPATIENT = ("--setopt=*.timeout=20", "--setopt=*.retries=2")
FIELDS = "%{name}\\t%{arch}\\t%{epoch}\\t%{version}\\t%{release}\\n"
PID_FILES = ("/var/cache/dnf/metadata_lock.pid", "/var/cache/dnf/download_lock.pid", "/var/lib/dnf/rpmdb_lock.pid")
PID_FILES += ("/run/yum.pid",)
RPM_LOCKS = ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock")
LOCK_RC = 200
LOCKED = re.compile(r"Failed to obtain the \S+ lock|can't create transaction lock|Another app is currently holding")
NOT_FETCHED = re.compile(
    r"^(?:Error: )?(.*Failed to (?:download metadata|synchronize cache) for repo.*|\s+- (?:Curl|Status) .*"
    r"|.*Cannot retrieve repository metadata.*)$",
    re.MULTILINE,
)
# The first that matches names what went wrong. Those marked True have changed nothing on the host.
COMPLAINTS = (
    (LOCKED, "lock_timeout", True),
    (re.compile(r"filtered out by (?:exclude|versionlock)"), "held", True),
    (re.compile(r"No match for argument|Unable to find a match|filtered out by modular"), "no_candidate", True),
    (re.compile(r"more space needed on|needs \S+ (?:more )?space on"), "disk_full", True),
    (re.compile(r"No space left on device"), "disk_full", False),
    (
        re.compile(
            r"GPG check FAILED|enabled checking of packages via GPG|is not signed|GPG keys? .*(?:not correct|missing)|NOKEY|Public key for"
        ),
        "unauthenticated",
        True,
    ),
    (
        re.compile(
            r"Error downloading packages|Cannot download|Failed to download|Curl error|No more mirrors|incorrect checksum"
        ),
        "download_failed",
        True,
    ),
    (re.compile(r"scriptlet failed|Error unpacking|Transaction failed|^Failed:$", re.MULTILINE), "rpm_failed", False),
    (
        re.compile(
            r"^ *Problem(?: \d+)?:|nothing provides|conflicting requests|Protected multilib|conflicts (?:with|between)",
            re.MULTILINE,
        ),
        "dependencies",
        True,
    ),
)
COMPLAINING = re.compile(
    r"^(?:Error\b|error:|Problem\b|No match|Unable to)|FAILED|via GPG keys|is not signed|scriptlet failed|: Curl error"
)
SCRIPT_FAILED = re.compile(r"(%\w+\(\S+\) scriptlet failed)")
# The preview's tables: a heading, then rows that are indented.
REMOVING = re.compile(r"^Removing[^\n]*:\n((?: .*\n)+)", re.MULTILINE)
REPLACING = re.compile(r"^ +replacing +(\S+?)(?:\.\w+)? +\S", re.MULTILINE)
ROW = re.compile(r"^ (?! )(\S+) +\S+ +\S", re.MULTILINE)
# A heading, or a row: name, architecture, version; a long name has a line of its own.
PLANNED = re.compile(r"^(\w[^\n]*:|  ?(?! )\S+)(?:\s+([a-z]\w+) +(\d\S*) +\S+ .*)?$", re.MULTILINE)
ABORTED = "Operation aborted"


def update(limit):
    """Fetch the metadata, waiting `limit` seconds for a lock; returns what could not be fetched, or an empty string."""
    argv = ["makecache", "--refresh", *IMPATIENT] if has_dnf() else ["makecache", "fast"]
    return not_fetched(dnf(argv, limit, UPDATE_SECONDS))


def not_fetched(result):
    lines = []
    for line in NOT_FETCHED.findall(result.output):
        line = " ".join(line.split())
        if line not in lines:
            lines.append(line)
    if not lines and result.rc != 0:
        return words(result.output)
    return "; ".join(lines[:3])


def candidates(names):
    """{name: {"version", "source_version"}}: the newest that exclusions and enabled module streams let through.

    Where a name is installed for several architectures, the newest that there is for all of them.
    """
    return rpm.best_of(offers(names))


def offers(names, *options):
    """{name: {version: architectures}} of everything the repositories have, read from what was fetched last."""
    found = {}
    argv = [DNF, "-q", "-C", *SETTINGS, "repoquery"] if has_dnf() else ["repoquery", "-q", "-C", *YUM_SETTINGS]
    argv += [*options, "--qf", FIELDS, "--"] if has_dnf() else ["--show-duplicates", "--qf", FIELDS, "--"]
    for line in read(argv + sorted(names), timeout=300).splitlines() if names else []:
        name, arch, epoch, version, release = (line.split("\t") + [""] * 4)[:5]
        if name in names and release and arch not in ("src", "nosrc"):
            found.setdefault(name, {}).setdefault(rpm.join(epoch, version, release), set()).add(arch)
    return found


def pinned(names):
    """{name: sentence} of names with a newer version that is in a repository and kept back by this host's own rules."""
    if not has_dnf():
        return {}
    shown, every = offers(names), offers(names, "--disableexcludes=all", "--disableplugin=versionlock")
    found = {}
    for name, versions in every.items():
        newest = max(versions, key=rpm.version_key)
        if newest not in shown.get(name, {}):
            told = rules_told({"name": name, "version": newest, "arch": sorted(versions[newest])[0]})
            found[name] = f"{newest} is in a repository, but {told}"
    return found


def rules_told(fact):
    rules = [
        f"{lock.where}: {lock.pattern}" for lock in rpmholds.locks() if lock.holds(fact) or fact["name"] in lock.pattern
    ]
    return f"kept back by {'; '.join(rules[:3])}" if rules else "an exclusion of this host keeps it back"


def spec(fact, version):
    """One package at one version as dnf takes it."""
    return f"{fact['name']}-{version}.{fact['arch']}"


def install(wanted, conffiles, limit, reinstall=False):
    """Bring exactly `wanted` onto the host; InstallError says what stood in the way.

    Returns how to find the transaction again, or an empty string.
    """
    names = [re.sub(r"-[^-]+-[^-]+$", "", one) for one in wanted]
    before = last_transaction()
    if reinstall:
        rpmfiles.take_new(names)  # a .rpmnew from an earlier upgrade is all it takes
    with rpmfiles.set_aside(names if reinstall else []):
        notes = transact(wanted, "reinstall" if reinstall else "install", limit)
    if conffiles == "replace":
        rpmfiles.take_new(names)
    after = last_transaction()
    return "; ".join(([f"dnf history {after}"] if after != before else []) + notes)


def transact(wanted, verb, limit):
    """What should be known of it though it was done: a script that fails after the files are in place is no error to dnf."""
    preview(wanted, verb, limit)
    result = dnf([verb, *wanted], limit, INSTALL_SECONDS)
    if result.rc != 0:
        raise complaint(result)
    return sorted(set(SCRIPT_FAILED.findall(result.output)))


def simulate(wanted):
    """InstallError if dnf would not install `wanted`. Fetches nothing, changes nothing."""
    preview(wanted, "install", 0)


def moves(wanted):
    """[{"name", "arch", "before", "after"}] of all that dnf would change for it; `before` is None for what comes new."""
    found, heading = [], ""
    for line, arch, version in PLANNED.findall(preview(wanted, "install", 0)):
        if line.endswith(":"):
            heading = line
        elif arch and heading.startswith(("Upgrading", "Downgrading", "Installing")):
            found.append((line.strip(), arch, version, heading))
    installed = rpm.installed(sorted({name for name, _arch, _version, _heading in found}))
    return [
        {
            "name": name,
            "arch": arch,
            "before": None if heading.startswith("Installing") else version_of(installed[name], arch),
            "after": version[2:] if version.startswith("0:") else version,
        }
        for name, arch, version, heading in found
    ]


def version_of(facts, arch):
    return next((fact["version"] for fact in facts if fact["arch"] == arch), facts[0]["version"] if facts else None)


def preview(wanted, verb, limit):
    """dnf's own plan for it, which may not take anything away."""
    result = dnf(["-C", "--assumeno", verb, *wanted], limit, UPDATE_SECONDS, answer=())
    if result.rc != 0 and ABORTED not in result.output:
        raise complaint(result)
    gone = erased(result.output)
    if gone:
        raise InstallError("removal_needed", f"dnf would remove {', '.join(gone)}", clean=True)
    return result.output


def erased(output):
    """What a transaction takes away: its Removing tables, and what a package of another name replaces.

    dnf 5 writes "replacing" under every upgrade too, of the same name then.
    """
    tables = "".join(REMOVING.findall(output))
    gone = {line.split()[0] for line in tables.splitlines() if line.strip()}
    return sorted(gone | set(REPLACING.findall(output)) - set(ROW.findall(output)))


def dnf(argv, limit, timeout, answer=("-y",)):
    """One dnf, begun when nobody else holds a lock."""
    deadline = time.monotonic() + limit
    program = [DNF, *SETTINGS] if has_dnf() else ["yum", *YUM_SETTINGS]
    while True:
        left = locks.wait(deadline, RPM_LOCKS, PID_FILES)
        result = run([*program, *answer, *argv], timeout)
        if result.rc != LOCK_RC and not LOCKED.search(result.output):
            return result
        if not left:
            return Result(LOCK_RC, result.output)
        time.sleep(locks.POLL_SECONDS)


def has_dnf():
    return os.path.exists(DNF)


def complaint(result):
    """What dnf said, as an InstallError."""
    if result.rc == LOCK_RC:
        return InstallError("lock_timeout", words(result.output), True)
    for pattern, code, clean in COMPLAINTS:
        if pattern.search(result.output):
            return InstallError(code, words(result.output), clean)
    return InstallError("dnf_failed", words(result.output), False)


def words(output):
    """From the first line that complains on; dnf puts its advice (`try to add '--nobest'`) last."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" \n:") not in ("", "Error")]
    start = next((n for n, line in enumerate(lines) if COMPLAINING.search(line)), len(lines) - 2)
    told = [line for line in lines[max(start, 0) :] if not line.startswith("(try to")]
    return "dnf: " + "; ".join(told[:4])[:600]


def last_transaction():
    """The number of dnf's newest transaction, or None where it keeps no history that we can read."""
    import sqlite3  # only here: a Python may come without it

    if not os.path.exists(HISTORY):
        return None
    try:
        connection = sqlite3.connect(f"file:{HISTORY}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT max(id) FROM trans").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        return None
