# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What rpm knows: installed packages and their order of versions.

A version is EPOCH:VERSION-RELEASE with an epoch of 0 left out, as advisories write it. They name the binary's, and
binaries of one source can differ (pam_ssh_agent_auth of openssh), so `source_version` is the binary's here too.
"""

import functools
import glob
import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import rpmholds
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import read

FIELDS = ("NAME", "ARCH", "EPOCH", "VERSION", "RELEASE", "SOURCERPM")
# A package says itself that several versions of it may lie side by side, as kernels do.
SIDE_BY_SIDE = "[%{PROVIDENAME} ]"
FORMAT = "\\t".join("%%{%s}" % field for field in FIELDS) + "\\t" + SIDE_BY_SIDE + "\\n"
SHORT_FORMAT = "\\t".join("%%{%s}" % field for field in FIELDS) + "\\n"
INSTALL_ONLY = re.compile(r"(?:^| )(?:installonlypkg|multiversion)\(|(?:^| )(?:kernel|kernel-PAE)(?: |$)")
PART = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
YUM_LEFT = "/var/lib/yum/transaction-all*"  # what yum-complete-transaction would go on with
MODULES = ("/lib/modules/%s/vmlinuz", "/boot/vmlinuz-%s", "/lib/modules/%s")


def installed(names):
    """{name: [{"name", "arch", "version", "source", "source_version", "broken", "held", "superseded"}]}.

    One call for all names, the newest first. Every version of what is kept side by side is listed, the older ones
    as superseded; two versions of anything else are what an interrupted transaction leaves.
    """
    found = {name: [] for name in names}
    for line in query(FORMAT, sorted(found)) if found else []:
        fact, several = read_fact(line)
        if fact["name"] in found:
            found[fact["name"]].append((fact, several))
    locks = rpmholds.locks()
    return {name: [held_fact(fact, locks) for fact in newest_first(pairs)] for name, pairs in found.items()}


def query(form, names):
    """The lines for those names that are installed. rpm's exit code counts the others; an error is on stderr alone."""
    output = command.execute(["rpm", "-q", "--qf", form, "--"] + names, timeout=60)
    if "error:" in output.stderr:
        raise Surprise(f"rpm -q: {command.excerpt(output)}")
    return [line for line in output.stdout.splitlines() if "\t" in line]


def read_fact(line):
    """(fact, may several versions of it lie side by side)"""
    name, arch, epoch, version, release, sourcerpm, provided = (line.split("\t") + [""])[:7]
    evr = join(epoch, version, release)
    fact = {
        "name": name,
        "arch": arch,
        "version": evr,
        "source": sourcerpm.rsplit("-", 2)[0] if sourcerpm.count("-") >= 2 else name,
        "source_version": evr,
        "broken": None,
        "held": False,
        "superseded": False,
    }
    return fact, bool(INSTALL_ONLY.search(provided))


def join(epoch, version, release):
    return f"{'' if epoch in ('', '0', '(none)') else epoch + ':'}{version}-{release}"


def newest_first(pairs):
    """Facts of one name, each older one of an architecture marked for what it is."""
    pairs = sorted(pairs, key=lambda pair: version_key(pair[0]["version"]), reverse=True)
    seen = set()
    for fact, several in pairs:
        if fact["arch"] in seen:
            fact["superseded"] = several
            fact["broken"] = None if several else "installed beside a newer version of itself"
        seen.add(fact["arch"])
    return [fact for fact, _several in pairs]


def held_fact(fact, locks):
    return dict(fact, held=any(lock.holds(fact) for lock in locks))


# --- the order of versions


def compare(left, right):
    """-1, 0 or 1 as rpm orders [EPOCH:]VERSION[-RELEASE]; a version without a release is before all with one."""
    for one, other in zip(split(left), split(right)):  # noqa: B905 - Python 3.6
        result = compare_part(one, other)
        if result:
            return result
    return 0


version_key = functools.cmp_to_key(compare)


def split(version):
    """(epoch, version, release) as rpm reads them; the release is None where there is none."""
    epoch, rest = re.match(r"(?:([0-9]*):)?(.*)", version.strip(), re.DOTALL).groups()
    upstream, hyphen, release = rest.rpartition("-")
    return (epoch or "0", upstream, release) if hyphen else (epoch or "0", rest, None)


def compare_part(left, right):
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if left == right:
        return 0
    lefts, rights = PART.findall(left), PART.findall(right)
    for one, other in zip(lefts + [""], rights + [""]):  # noqa: B905 - the end decides, if nothing before it
        result = compare_segment(one, other)
        if result:
            return result
    return 0


def compare_segment(one, other):
    """A tilde is before everything, even the end; a caret is after the end and before anything else.

    Digits are after letters and go by value, letters by their bytes. '' is the end of a version.
    """
    if one == other:
        return 0
    for mark, before in (("~", -1), ("^", -1)):
        if mark in (one, other):
            ends = mark == "^" and "" in (one, other)
            return (before if one == mark else -before) * (-1 if ends else 1)
    if "" in (one, other):
        return 1 if one else -1
    if one[0].isdigit() != other[0].isdigit():
        return 1 if one[0].isdigit() else -1
    if one[0].isdigit():
        one, other = int(one), int(other)
    return (one > other) - (one < other)


# --- the rest of what patch asks


def best_of(offered):
    """Candidates out of {name: {version: architectures}}: the newest; where a name is installed for several
    architectures, the newest that there is for all of them."""
    facts, found = installed(sorted(offered)), {}
    for name, versions in offered.items():
        arches = {fact["arch"] for fact in facts[name]}
        whole = [version for version, there in versions.items() if arches <= there or "noarch" in there]
        version = max(whole or versions, key=version_key)
        found[name] = {"version": version, "source_version": version}
    return found


def siblings(sources):
    """Installed packages built from any of `sources`."""
    return sorted({fact["name"] for fact in everything() if fact["source"] in sources})


def unfinished():
    """What an interrupted transaction left: packages in two versions, yum's list of what it had not done."""
    seen = {}
    for fact in everything():
        seen.setdefault((fact["name"], fact["arch"]), []).append(fact["version"])
    twice = sorted({name for (name, arch), versions in seen.items() if len(versions) > 1 and arch != "(none)"})
    kept = installed(twice)
    left = [
        f"{fact['name']} {fact['version']} is {fact['broken']}"
        for name in twice
        for fact in kept[name]
        if fact["broken"]
    ]
    return left + [f"{path} lists what yum did not finish" for path in sorted(glob.glob(YUM_LEFT))]


def everything():
    return [read_fact(line)[0] for line in read(["rpm", "-qa", "--qf", SHORT_FORMAT]).splitlines() if "\t" in line]


def running_kernel(release=None):
    """The version of the package that the running kernel's own file belongs to, or None where none says so."""
    for path in MODULES:
        output = command.execute(
            ["rpm", "-qf", "--qf", SHORT_FORMAT, path % (release or os.uname().release)], timeout=60
        )
        facts = [read_fact(line)[0] for line in output.stdout.splitlines() if line.count("\t") == len(FIELDS) - 1]
        if output.rc == 0 and facts:
            return facts[0]["version"]
    return None
