"""Small rpm packages, advisories and module streams, as the texts that rpmbuild and createrepo_c read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rpm:
    """One binary package: `version` is [EPOCH:]VERSION-RELEASE. Its source package has the same name unless said."""

    name: str
    version: str
    arch: str = "x86_64"
    files: Mapping[str, str | bytes] = field(
        default_factory=dict
    )  # {path: content}; one under a bin folder is executable
    copies: Mapping[str, str] = field(default_factory=dict)  # {path: file of the host}: a program to run
    config: Iterable[str] = ()  # of `files`: %config(noreplace)
    service: str | None = None  # the command of NAME.service
    headers: Iterable[str] = ()  # more lines: "Requires: x", "Obsoletes: y", "Provides: installonlypkg(kernel)"
    scripts: str = ""  # "%post\n…"
    module: str = ""  # NAME:STREAM:VERSION:CONTEXT, for a package of a module stream

    @property
    def split_version(self) -> tuple[str, str, str]:
        epoch, _colon, rest = self.version.rpartition(":")
        upstream, _hyphen, release = rest.rpartition("-")
        return epoch, upstream, release

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version.rpartition(':')[2]}.{self.arch}.rpm"

    @property
    def nevra(self) -> str:
        return f"{self.name}-{self.version if ':' in self.version else f'0:{self.version}'}.{self.arch}"


@dataclass(frozen=True)
class Erratum:
    """An advisory of updateinfo.xml: what `dnf updateinfo` and `zypper patch` read."""

    id: str
    cves: Iterable[str]
    packages: Iterable[Rpm]
    reboot: bool = False


@dataclass(frozen=True)
class Stream:
    """A module stream with the packages of it that the repository has."""

    name: str
    stream: str
    version: int
    context: str
    packages: Iterable[Rpm]
    default: bool = False

    @property
    def label(self) -> str:
        """What `Rpm.module` of its packages is."""
        return f"{self.name}:{self.stream}:{self.version}:{self.context}"


def spec_text(package: Rpm, root: str) -> str:
    epoch, upstream, release = package.split_version
    lines = [
        f"Name: {package.name}",
        f"Version: {upstream}",
        f"Release: {release}",
        *([f"Epoch: {epoch}"] * bool(epoch)),
    ]
    lines += [
        "Summary: a stand-in",
        "License: none",
        "AutoReqProv: no",
        *package.headers,
        "%description",
        "A stand-in.",
    ]
    lines += ["%install", f"mkdir -p {root} %{{buildroot}}", f"cp -a {root}/. %{{buildroot}}/"]
    for path, source in package.copies.items():
        lines.append(f"install -D -m 755 {source} %{{buildroot}}{path}")
    lines += [package.scripts, "%files"]
    for path in sorted([*all_files(package), *package.copies]):
        lines.append(f"%config(noreplace) {path}" if path in package.config else path)
    return "\n".join(lines) + "\n"


def all_files(package: Rpm) -> dict[str, str | bytes]:
    files = dict(package.files)
    if package.service:
        unit = f"[Service]\nExecStart={package.service}\n[Install]\nWantedBy=multi-user.target\n"
        files[f"/usr/lib/systemd/system/{package.name}.service"] = unit
    return files


def updateinfo(errata: Iterable[Erratum]) -> str:
    found = "".join(_update(erratum) for erratum in errata)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{found}</updates>\n' if found else ""


def _update(erratum: Erratum) -> str:
    cves = "".join(
        f'<reference type="cve" id="{cve}" title="{cve}" href="https://cve.example/{cve}"/>' for cve in erratum.cves
    )
    packages = "".join(_update_package(package, erratum.reboot) for package in erratum.packages)
    return (
        f'<update from="lab@example" status="final" type="security" version="1"><id>{erratum.id}</id>'
        f'<title>{erratum.id}</title><severity>Important</severity><issued date="2026-11-01 00:00:00"/>'
        f"<description>{erratum.id}</description><references>{cves}</references>"
        f'<pkglist><collection short="lab"><name>lab</name>{packages}</collection></pkglist></update>'
    )


def _update_package(package: Rpm, reboot: bool) -> str:
    epoch, upstream, release = package.split_version
    return (
        f'<package name="{package.name}" version="{upstream}" release="{release}" epoch="{epoch or 0}" '
        f'arch="{package.arch}"><filename>{package.file_name}</filename>'
        f"{'<reboot_suggested>True</reboot_suggested>' * reboot}</package>"
    )


def modules(streams: list[Stream]) -> str:
    documents = [_stream(stream) for stream in streams]
    for stream in streams:
        if stream.default:
            documents.append(
                "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n"
                f"  module: {stream.name}\n  stream: '{stream.stream}'\n  profiles: {{}}\n...\n"
            )
    return "".join(documents)


def _stream(stream: Stream) -> str:
    artifacts = "".join(f"    - {package.nevra}\n" for package in stream.packages)
    return (
        "---\ndocument: modulemd\nversion: 2\ndata:\n"
        f"  name: {stream.name}\n  stream: '{stream.stream}'\n  version: {stream.version}\n"
        f"  context: {stream.context}\n"
        "  arch: x86_64\n  summary: a stand-in\n  description: a stand-in\n  license:\n    module: [MIT]\n"
        f"  dependencies:\n  - {{}}\n  artifacts:\n    rpms:\n{artifacts}...\n"
    )
