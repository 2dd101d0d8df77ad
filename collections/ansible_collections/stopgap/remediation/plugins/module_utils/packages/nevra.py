# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What rpm's answers and versions mean. Pure, and this file stands alone: the verifier reads rpm with it too."""

import functools
import re

FIELDS = ("NAME", "ARCH", "EPOCH", "VERSION", "RELEASE", "SOURCERPM")
# A package says itself that several versions of it may lie side by side, as kernels do.
SIDE_BY_SIDE = "[%{PROVIDENAME} ]"
FORMAT = "\\t".join("%%{%s}" % field for field in FIELDS) + "\\t" + SIDE_BY_SIDE + "\\n"
SHORT_FORMAT = "\\t".join("%%{%s}" % field for field in FIELDS) + "\\n"
INSTALL_ONLY = re.compile(r"(?:^| )(?:installonlypkg|multiversion)\(|(?:^| )(?:kernel|kernel-PAE)(?: |$)")
PART = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")


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
