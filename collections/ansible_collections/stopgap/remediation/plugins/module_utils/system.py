# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which system this is, in the words remedies use."""

import hashlib
import os
import re
import subprocess

MACHINE_ID = "/etc/machine-id"

# Rebuilds that follow RHEL's versions package by package, and SLES under its other names.
SAME_AS = {"rhel": "el", "almalinux": "el", "rocky": "el", "centos": "el", "ol": "el", "sles_sap": "sles"}
KERNEL_FILES = ("/lib/modules/%s/vmlinuz", "/boot/vmlinuz-%s", "/lib/modules/%s")
BY_MAJOR = ("el", "sles", "opensuse-leap")  # 9.3 and 9.4 are one; Ubuntu's 22.04 and 22.10 are not
DPKG_ARCH = {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386", "armv7l": "armhf", "ppc64le": "ppc64el"}
DPKG_DISTROS = ("debian", "ubuntu")


def describe(os_release=None):
    distro = distro_key(parse_os_release(read_os_release() if os_release is None else os_release))
    machine = os.uname().machine
    arch = DPKG_ARCH.get(machine, machine) if distro and distro.startswith(DPKG_DISTROS) else machine
    return {"distro": distro, "kernel": os.uname().release, "arch": arch, "host_id": host_id()}


def host_id():
    """Hashed with a name of ours, as machine-id(5) asks; "" where there is none, as in an image that never booted."""
    try:
        with open(MACHINE_ID, encoding="ascii", errors="replace") as stream:
            said = stream.read().strip()
    except OSError:
        return ""
    return (
        hashlib.sha256(("stopgap:" + said).encode("utf-8")).hexdigest()[:32]
        if said not in ("", "uninitialized")
        else ""
    )


def read_os_release():
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                return handle.read()
        except OSError:
            continue
    return ""


def parse_os_release(text):
    """os-release(5) as a dict; a line that is no assignment is skipped."""
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            fields[key] = value.strip("\"'")
    return fields


def distro_key(fields):
    """`debian-12`, `ubuntu-22.04`, `el-9`, `sles-15`; one without a number goes by its codename. None where unsaid."""
    name = fields.get("ID", "").lower()
    version = fields.get("VERSION_ID") or fields.get("VERSION_CODENAME")
    if not name or not version:
        return None
    name = SAME_AS.get(name, name)
    return f"{name}-{version.partition('.')[0] if name in BY_MAJOR else version}"


def running_kernel_version():
    """The package version of the kernel that runs (the name in `uname -r` does not change with every fix), or None."""
    try:
        with open("/proc/version_signature", encoding="utf-8") as handle:  # Ubuntu
            signature = handle.read()
    except OSError:
        signature = ""
    return kernel_version(os.uname().version, signature) or rpm_kernel_version()


def own_kernel():
    """The release of the kernel that runs, where its files are here; "" in a container, whose kernel is its machine's."""
    release = os.uname().release
    return release if any(os.path.exists(path % release) for path in KERNEL_FILES) else ""


def rpm_kernel_version():
    """The version of the rpm package that the running kernel's own file belongs to, or None where none says so."""
    for path in KERNEL_FILES:
        argv = ["rpm", "-qf", "--qf", "%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n", path % os.uname().release]
        try:
            told = subprocess.check_output(argv, stderr=subprocess.DEVNULL).decode("utf-8", "replace").split()
        except (OSError, subprocess.CalledProcessError):
            continue
        if told:
            return told[0]
    return None


def kernel_version(uname_version, signature=""):
    debian = re.search(r"\bDebian (\S+)", uname_version)
    ubuntu = re.match(r"Ubuntu (\d\S*?)-[a-z]\S*(?:\s|$)", signature)
    found = debian or ubuntu
    return found.group(1) if found else None
