# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What keeps a package at its version on rpm hosts: versionlock, exclude= and zypper's locks, read from their files."""

import collections
import fnmatch
import re

VERSIONLOCK = ("/etc/dnf/plugins/versionlock.list", "/etc/yum/pluginconf.d/versionlock.list")
VERSIONLOCK_5 = "/etc/dnf/versionlock.toml"
CONF = ("/etc/dnf/dnf.conf", "/etc/yum.conf")
ZYPP_LOCKS = "/etc/zypp/locks"
EXCLUDE = re.compile(r"^(?:exclude|excludepkgs)\s*=\s*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


class Lock(collections.namedtuple("Lock", "pattern where")):
    def holds(self, fact):
        """Names, NAME.ARCH and the forms with a version count; a glob matches as the tools match it."""
        name, arch, version = fact["name"], fact["arch"], fact["version"]
        plain = version.rpartition(":")[2]
        epoch = version if ":" in version else f"0:{version}"
        forms = [name, f"{name}.{arch}"]
        forms += [f"{name}-{one}{end}" for one in (plain, epoch) for end in ("", f".{arch}")]
        forms += [f"{name}-{plain.rpartition('-')[0]}", f"{epoch.partition(':')[0]}:{name}-{plain}.{arch}"]
        return any(fnmatch.fnmatchcase(form, self.pattern) for form in forms)


def locks():
    found = [Lock(pattern, path) for path in VERSIONLOCK for pattern in versionlocked(text_of(path))]
    found += [
        Lock(name, VERSIONLOCK_5) for name in re.findall(r'^name = "([^"]+)"', text_of(VERSIONLOCK_5), re.MULTILINE)
    ]
    found += [Lock(pattern, path) for path in CONF for pattern in excluded(text_of(path))]
    return found + [Lock(pattern, ZYPP_LOCKS) for pattern in zypper_locked(text_of(ZYPP_LOCKS))]


def versionlocked(text):
    """The packages locked at a version. `!name-version` forbids one version only and holds nothing."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "!"))]


def excluded(text):
    return [pattern for value in EXCLUDE.findall(text) for pattern in re.split(r"[\s,]+", value) if pattern]


def zypper_locked(text):
    """Stanzas of `key: value`; only those for packages, and not those for some versions or one repository alone:
    where such a one is in the way, zypper says so itself."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w+): *(.*?) *$", stanza, re.MULTILINE))
        some_only = fields.get("repo") or fields.get("version")
        if fields.get("type", "package") == "package" and fields.get("solvable_name") and not some_only:
            found.append(fields["solvable_name"])
    return found


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""
