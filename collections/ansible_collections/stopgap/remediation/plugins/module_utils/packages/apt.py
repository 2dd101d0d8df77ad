# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What apt can fetch and install. Nothing is ever removed, and nothing but the named packages is asked for."""

import re
import time

from ansible_collections.stopgap.remediation.plugins.module_utils.packages import locks, pins
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.dpkg import source_version
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import InstallError, read, run

MEND = "dpkg --configure -a or apt-get -f install"
RELEASE = "release it with apt-mark unhold"
UPDATE_SECONDS = 600
INSTALL_SECONDS = 3600
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",  # it would restart services nobody asked to restart
}
# dpkg's words for each choice, and ucf's for the files that are not conffiles to dpkg (sshd_config)
CONFFILES = {
    "keep": (["--force-confdef", "--force-confold"], {"UCF_FORCE_CONFFOLD": "1"}),
    "replace": (["--force-confnew"], {"UCF_FORCE_CONFFNEW": "1"}),
}
LOCKED = re.compile(r"Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock")
# apt-get update says 0 although repositories failed, unless each of these is looked for.
NOT_FETCHED = re.compile(
    r"^(?:E: |W: (?=Failed to fetch|GPG error|An error occurred during the signature))(.*)$", re.MULTILINE
)
# The first that matches names what went wrong. Those marked True have changed nothing on the host.
COMPLAINTS = (
    (LOCKED, "lock_timeout", True),
    (re.compile(r"packages have to be removed|remove is disabled", re.IGNORECASE), "removal_needed", True),
    (re.compile(r"Held packages were changed"), "held", True),
    (re.compile(r"unmet dependencies|Unable to correct problems"), "dependencies", True),
    (re.compile(r"Version '.*' for '.*' was not found"), "no_candidate", True),  # of a second architecture
    (re.compile(r"unauthenticated packages"), "unauthenticated", True),
    (re.compile(r"enough free space|No space left on device"), "disk_full", False),
    (re.compile(r"Unable to fetch some archives|Failed to fetch"), "download_failed", True),
    (re.compile(r"dpkg was interrupted|error processing|returned an error code"), "dpkg_failed", False),
)


def update(limit):
    """Fetch the lists, waiting `limit` seconds for a lock; returns what could not be fetched as one sentence, or an empty string."""
    # A dead mirror is to be told within a minute, not within ten.
    argv = ["update", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]
    return not_fetched(apt_get(argv, limit, UPDATE_SECONDS).output)


def not_fetched(output):
    lines = []
    for line in NOT_FETCHED.findall(output):
        line = " ".join(line.split())
        if line and line not in lines:
            lines.append(line)
    return "; ".join(lines[:3])


def candidates(names):
    """{name: {"version", "source_version"}} of what apt would install; a name without a candidate is left out."""
    names = sorted(names)
    versions = read_policy(read(["apt-cache", "policy"] + names)) if names else {}
    if not versions:
        return {}
    records = read(["apt-cache", "show"] + [f"{name}={version}" for name, version in versions.items()])
    return read_records(records, versions)


def read_policy(text):
    """A package that is there for another architecture only is headed `wine32:i386:`."""
    versions, name = {}, None
    for line in text.splitlines():
        if line[:1].strip():
            name = line.partition(":")[0]
        elif line.startswith("  Candidate: ") and not line.endswith("(none)"):
            versions[name] = line.split(": ", 1)[1].strip()
    return versions


def read_records(text, versions):
    """The source version is in `Source: name (version)`, and only where it differs from the binary's."""
    found = {}
    for record in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in record.splitlines() if re.match(r"(Package|Version|Source): ", line)
        )
        name, version = fields.get("Package"), fields.get("Version")
        if versions.get(name) == version and version:
            source, _space, inner = fields.get("Source", name).partition(" ")
            found[name] = {
                "version": version,
                "source_version": source_version(source, inner.strip("()") or version, version),
            }
    return found


def pinned(names):
    """{name: sentence} of names with a newer version that is in a repository and kept back by this host's own rules."""
    return pins.pinned(names)


def spec(fact, version):
    """One package at one version as apt takes it; what is for every architecture has no suffix."""
    arch = "" if fact["arch"] == "all" else f":{fact['arch']}"
    return f"{fact['name']}{arch}={version}"


def install(wanted, conffiles, limit, reinstall=False, downgrade=False):
    """Bring exactly `wanted` (["name:arch=version"], or files) onto the host; InstallError says what stood in the way."""
    options, environment = CONFFILES[conffiles]
    argv = install_argv(wanted, options + (["--force-confask"] if reinstall else []))
    argv += ["--reinstall"] if reinstall else []
    argv += ["--allow-downgrades"] if downgrade else []
    result = apt_get(argv, limit, INSTALL_SECONDS, **environment)
    if result.rc != 0:
        raise complaint(result.output)


def simulate(wanted):
    """InstallError if apt would not install `wanted`. Takes no lock, fetches nothing, changes nothing."""
    dry_run(wanted)


def dry_run(wanted):
    """What apt says it would do."""
    result = run(["apt-get", "-s", *install_argv(wanted, [])], UPDATE_SECONDS, **ENVIRONMENT)
    if result.rc != 0:
        raise complaint(result.output)
    return result.output


def install_argv(wanted, dpkg_options):
    options = [part for option in dpkg_options for part in ("-o", f"Dpkg::Options::={option}")]
    return ["install", "-y", "--no-remove", "--no-install-recommends", *options, *wanted]


def apt_get(argv, limit, timeout, **environment):
    """One apt-get, begun when the package lock is free. apt waits for dpkg's lock itself, but not for the lists'."""
    deadline = time.monotonic() + limit
    while True:
        left = locks.wait(deadline)
        result = run(
            ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={left}", *argv], timeout, **dict(ENVIRONMENT, **environment)
        )
        if not LOCKED.search(result.output) or not left:  # else another took it between our look and apt's
            return result


def complaint(output):
    """What apt said, as an InstallError; its own last words are the reason."""
    for pattern, code, clean in COMPLAINTS:
        if pattern.search(output):
            return InstallError(code, words(output), clean)
    return InstallError("apt_failed", words(output), False)


def words(output):
    errors = [line[3:].strip() for line in output.splitlines() if line.startswith("E: ")]
    told = errors or [line.strip() for line in output.splitlines() if line.strip()][-2:]
    return "apt-get: " + "; ".join(told[:4])[:600]
