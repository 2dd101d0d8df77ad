"""Which versions Debian's archive has: the release itself, and its security pocket. Asked once a day."""

import json
import lzma
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stopgap.collection import shared_code
from stopgap.lab import LabError, SuiteGoneError
from stopgap.lab.mirror import find_mirror, find_security_mirror
from stopgap.lab.paths import machine_lock, private_dir, state_root

HELPER = "/usr/lib/apt/apt-helper"
FRESH_SECONDS = 24 * 3600
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
FIELD = re.compile(r"^(Package|Version|Source): (.*)$", re.MULTILINE)
Index = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Archive:
    """{package: (version, source version)} of one suite."""

    suite: str
    main: Index
    security: Index

    def source(self, package: str) -> str | None:
        found = self.main.get(package)
        return found[1] if found else None


@cache
def archive(suite: str) -> Archive:
    """Raises SuiteGoneError where the archive has dropped the release."""
    main = _index(f"{find_mirror()}/dists/{suite}", f"{suite}-main")
    security = _index(f"{find_security_mirror()}/dists/{suite}-security", f"{suite}-security")
    return Archive(suite, main, security)


def _index(base: str, name: str) -> Index:
    kept = private_dir(state_root() / "archive") / f"{name}.json"
    with machine_lock(f"archive-{name}"):
        if not kept.exists() or time.time() - kept.stat().st_mtime > FRESH_SECONDS:
            kept.write_text(json.dumps(read_packages(_fetch(base))))
        read: dict[str, list[str]] = json.loads(kept.read_text())
    return {package: (versions[0], versions[1]) for package, versions in read.items()}


def _fetch(base: str) -> str:
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    url = f"{base}/main/binary-{architecture}/Packages.xz"
    with tempfile.TemporaryDirectory(prefix="stopgap-archive-") as folder:
        target = Path(folder) / "Packages.xz"
        try:
            done = subprocess.run(
                [HELPER, "download-file", url, str(target)], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise LabError(f"apt's own helper cannot be run ({error.strerror}): the lab needs apt") from None
        if done.returncode or not target.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise SuiteGoneError(f"The archive has no {url}: {said[-1] if said else 'no reason given'}")
        return lzma.decompress(target.read_bytes()).decode("utf-8", "replace")


def read_packages(text: str) -> Index:
    """The last stanza of a name wins; the archive sorts versions so that it is the newest."""
    return {name: (version, source) for name, version, source in _stanzas(text)}


def _stanzas(text: str) -> Iterator[tuple[str, str, str]]:
    """`Source: name (version)` names the source's version only where it differs from the binary's."""
    source_version = shared_code("packages/debver").source_version
    for stanza in text.split("\n\n"):
        fields = dict(FIELD.findall(stanza))
        if "Package" in fields and "Version" in fields:
            version = fields["Version"]
            source, _, inner = fields.get("Source", "").partition(" ")
            told = inner.strip("()") or version
            yield fields["Package"], version, source_version(source, told, version)
