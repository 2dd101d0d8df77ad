# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Newer versions that a repository has and apt's preferences keep back, and the file that says so."""

import fnmatch
import functools
import glob
import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.packages.dpkg import compare
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import read

PREFERENCES = "/etc/apt/preferences"
VERSION = re.compile(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)$")


def pinned(names):
    """{name: sentence} for names with a version that no preference lets through."""
    if not names:
        return {}
    found = {}
    for name, (candidate, versions) in read_tables(read(["apt-cache", "policy"] + sorted(names))).items():
        newer = [version for version in versions if candidate is None or compare(version, candidate) > 0]
        if newer:
            newest = max(newer, key=functools.cmp_to_key(compare))
            found[name] = f"{newest} is in a repository, but {rules_told(name)}"
    return found


def read_tables(text):
    """{name: (candidate or None, versions that a repository has)}."""
    tables, name, version = {}, None, None
    for line in text.splitlines():
        listed = VERSION.match(line)
        if line[:1].strip():
            name, version = line.partition(":")[0], None
            tables[name] = (None, [])
        elif line.startswith("  Candidate: "):
            told = line.split(": ", 1)[1].strip()
            tables[name] = (None if told == "(none)" else told, [])
        elif listed:
            version = listed.group(1)
        elif version and line.strip() and not line.endswith("/var/lib/dpkg/status") and version not in tables[name][1]:
            tables[name][1].append(version)
    return tables


def rules_told(name):
    rules = [rule for path in preference_files() for rule in rules_of(path, name)]
    return f"apt's preferences keep it back: {'; '.join(rules[:3])}" if rules else "apt's priorities keep it back"


def preference_files(base=PREFERENCES):
    """As apt_preferences(5) reads them: the parts in order, then the one file."""
    parts = [path for path in sorted(glob.glob(base + ".d/*")) if re.search(r"/[\w-]+(?:\.pref)?$", path)]
    return parts + [path for path in [base] if os.path.isfile(path)]


def rules_of(path, name):
    """`FILE: Pin: release *, priority -1` for each rule of a file that is about a package."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            text = handle.read()
    except OSError:
        return []
    rules = [
        dict(line.split(":", 1) for line in block.splitlines() if re.match(r"(?:Package|Pin|Pin-Priority):", line))
        for block in re.split(r"\n\s*\n", text)
    ]
    return [
        f"{path}: Pin: {rule.get('Pin', '').strip()}, priority {rule.get('Pin-Priority', '').strip()}"
        for rule in rules
        if any(fits(pattern, name) for pattern in rule.get("Package", "").split())
    ]


def fits(pattern, name):
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return bool(re.search(pattern[1:-1], name))
    return fnmatch.fnmatchcase(name, pattern)
