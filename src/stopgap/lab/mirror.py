"""Which Debian archive hosts are made from: the one this machine's own apt uses, or the one the environment names."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stopgap.lab.command import run
from stopgap.lab.errors import LabError

APT_DIR = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")
STANZA_KEY = re.compile(r"^(?P<key>[A-Za-z-]+):(?P<value>.*)$")
# What of this machine's apt configuration its hosts need to reach the same archive.
INHERITED = re.compile(r'^Acquire::(?:https?::Proxy(?:::\S+)?|Check-Valid-Until|Check-Date) ".+";$', re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    uri: str
    suite: str


def parse_list(text: str) -> Iterator[Source]:
    """The one-line format of sources.list(5)."""
    for line in text.splitlines():
        if match := ONE_LINE.match(line.strip()):
            yield Source(match["uri"], match["suite"])


def parse_deb822(text: str) -> Iterator[Source]:
    """The stanza format of sources.list(5)."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _stanza_fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            yield from (Source(uri, suite) for suite in fields.get("suites", "").split())


def _stanza_fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if match := STANZA_KEY.match(line):
            key = match["key"].lower()
            fields[key] = match["value"]
        elif key and line[:1].isspace():
            fields[key] += line
    return fields


def apt_sources(apt_dir: Path = APT_DIR) -> list[Source]:
    found: list[Source] = []
    parts = apt_dir / "sources.list.d"
    for path in [apt_dir / "sources.list", *sorted(parts.glob("*.list"))]:
        found += parse_list(path.read_text()) if path.is_file() else []
    for path in sorted(parts.glob("*.sources")):
        found += parse_deb822(path.read_text())
    return [source for source in found if source.uri.startswith(("http://", "https://"))]


def debian_codename(os_release: Path = OS_RELEASE) -> str | None:
    """This machine's release, or None where it is not Debian."""
    if not os_release.is_file():
        return None
    fields = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    return (
        fields.get("VERSION_CODENAME", "").strip('"') or None if fields.get("ID", "").strip('"') == "debian" else None
    )


def _own(wanted: set[str], sources: list[Source]) -> str | None:
    return next((source.uri.rstrip("/") for source in sources if source.suite in wanted), None)


def find_mirror() -> str:
    """The archive of whole releases (suites like bookworm)."""
    if chosen := os.environ.get("STOPGAP_LAB_MIRROR"):
        return chosen.rstrip("/")
    codename = debian_codename()
    if codename and (uri := _own({codename}, apt_sources())):
        return uri
    raise LabError("No Debian mirror in this machine's apt sources: set STOPGAP_LAB_MIRROR to the URL of one")


def find_security_mirror() -> str:
    """The archive of security updates (suites like bookworm-security)."""
    if chosen := os.environ.get("STOPGAP_LAB_SECURITY_MIRROR"):
        return chosen.rstrip("/")
    codename = debian_codename()
    if codename and (uri := _own({f"{codename}-security"}, apt_sources())):
        return uri
    raise LabError(
        "No Debian security mirror in this machine's apt sources: set STOPGAP_LAB_SECURITY_MIRROR to the URL of one"
    )


def inherited_options() -> list[str]:
    """Lines of apt.conf(5) that hosts need as much as this machine does: proxies, and how dated an archive may be."""
    lines = [line for line in run(["apt-config", "dump"]).stdout.splitlines() if INHERITED.match(line)]
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy")
        if proxy and not any(line.lower().startswith(f"acquire::{scheme}::proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return lines
