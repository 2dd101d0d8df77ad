"""The small values remedies are made of: what each accepts in YAML and what it becomes."""

import ipaddress
import re
import shlex
import warnings
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

_SECONDS = {"h": 3600, "d": 86400, "w": 604800}
_TTL = re.compile(r"(\d{1,4})([hdw])")

# A distribution is ID-MAJOR of os-release; Ubuntu's major is its whole version. One line adds one.
DISTROS = {
    "debian": r"\d+",
    "ubuntu": r"\d\d\.\d\d",
    "el": r"\d+",
    "fedora": r"\d+",
    "amzn": r"\d+",
    "sles": r"\d+",
    "opensuse-leap": r"\d+",
}
RPM_DISTROS = frozenset({"el", "fedora", "amzn", "sles", "opensuse-leap"})
_DISTRO = re.compile("|".join(f"{name}-{major}" for name, major in DISTROS.items()))

_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_ARCHES = ("noarch", "x86_64", "i686", "aarch64", "ppc64le", "s390x")  # rpm knows NAME.ARCH, and would not find it
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*")  # systemd.unit(5)

TLS_VERSIONS = ("SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")

# deb-version(7) and the NEVR rules of rpm: an epoch, an upstream part that starts with a digit, a revision.
_DPKG_VERSION = re.compile(r"(\d+:)?\d[A-Za-z0-9.+~-]*")
# A tag's v and words (`none`, `not-affected`) are nobody's version; rpm takes any number to be newer than a word.
_RPM_VERSION = re.compile(r"(?=.*\d)(\d+:)?(?![vV]\d)[A-Za-z0-9._+~^]+(-[A-Za-z0-9._+~^]+)?")


def parse_ttl(value: Any) -> Any:
    """`12h`, `14d`, `4w` → seconds."""
    match = _TTL.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("write a time to live as a number and h, d or w: 12h, 14d, 4w")
    return int(match[1]) * _SECONDS[match[2]]


def _compiled(pattern: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern, re.MULTILINE)
    except FutureWarning as error:  # a class of grep's is a set of letters here, so that a check could never fail
        raise ValueError(f"the regular expression is not Python's ({error}): write \\s for [[:space:]]") from None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the regular expression does not compile: {error}") from None
    return pattern


def _unit(value: str) -> str:
    if not _UNIT.fullmatch(value):
        raise ValueError("write the name of one unit, without a pattern: nginx, or acme@a.socket")
    return value


def _module(value: str) -> str:
    name, dot, _ = value.partition(".ko")
    if dot:
        raise ValueError(f"write the module's name, without .ko: '{name}'")
    return value


def _sysctl(value: str) -> str:
    if value.startswith("-") or re.search(r"[\s=*?\[]", value):
        raise ValueError("write the name alone, without its value or a pattern: net.ipv4.ip_forward")
    return value


def _one_path(value: str) -> str:
    if "*" in value:
        raise ValueError("write one path, without a pattern: /etc/acme/acme.conf")
    return value


def _package(value: str) -> str:
    if not _PACKAGE.fullmatch(value) or value.rpartition(".")[2] in _ARCHES:
        raise ValueError("write the name of one package, without its architecture or a pattern: libssl3")
    return value


def _at_least(value: str) -> str:
    if value != "fixed" and not (_DPKG_VERSION.fullmatch(value) or _RPM_VERSION.fullmatch(value)):
        raise ValueError("write `fixed` or a version as the package manager has it: 1:9.2p1-2+deb12u3")
    return value


def _without_nul(words: list[str]) -> list[str]:
    if any("\0" in word for word in words):
        raise ValueError("no program can be given a NUL character")
    return words


def _split(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    if not isinstance(value, str | list):
        raise ValueError("write a version in quotes, several as a list, or not_affected")
    return [value] if isinstance(value, str) and value != "not_affected" else value


def _known_distro(key: str) -> str:
    if not _DISTRO.fullmatch(key):
        known = ", ".join(f"{name}-…" for name in DISTROS)
        raise ValueError(f"'{key}' is no distribution; write ID-MAJOR of os-release ({known}), for example debian-12")
    return key


def _settled(value: Any) -> Any:
    """A setting's text. YAML 1.1 reads a bare no, on or 0755 as something else than what was written."""
    if isinstance(value, bool):
        raise ValueError("YAML reads this as true or false: put it in quotes")
    if isinstance(value, int) and _written(value) != str(value):
        raise ValueError(f"YAML reads {_written(value)} as {value}: put it in quotes")
    return str(value) if isinstance(value, int) else value


def _plain(value: Any) -> Any:
    """YAML 1.1 also reads a bare no or yes as a truth, and Python takes that for 0 or 1."""
    if isinstance(value, bool) or (isinstance(value, int) and _written(value) != str(value)):
        raise ValueError(f"YAML reads this as {str(value).lower()}: write a plain number")
    return value


def _written(value: Any) -> str:
    """A number as it stands in the file, which the loader keeps."""
    return getattr(value, "written", str(value))


def _quoted_mode(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[0-7]{4}", value):
        raise ValueError('write a mode as four octal digits in quotes: "0644"')
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"write an address or a network, 192.0.2.7 or 2001:db8::/32: {error}") from None


def _ports(value: Any) -> Any:
    """`631` or `8000-8010`."""
    first, _hyphen, last = _written(value).partition("-")
    numbers = [first, last or first]
    if not all(re.fullmatch(r"[1-9][0-9]*", part) and int(part) < 65536 for part in numbers):
        raise ValueError("write a port, or two with a hyphen between: 631, 8000-8010")
    if int(numbers[0]) > int(numbers[1]):
        raise ValueError("the first port of a range is the lower one")
    return str(value)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = parts.hostname and parts.port != 0 and parts.username is None and not parts.fragment
    except ValueError:
        sound = None
    if not sound or not re.fullmatch(r"https?://[!-~]+", value):
        raise ValueError("write http:// or https:// and a host, without a password: https://127.0.0.1:8443/path")
    return value


def _offer(value: str) -> str:
    if value not in TLS_VERSIONS and not re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)+", value):
        known = ", ".join(TLS_VERSIONS)
        raise ValueError(f"write a version ({known}) or a cipher suite before TLS 1.3 as OpenSSL names it: AES128-SHA")
    return value


def _socket(value: str) -> str:
    protocol, _, place = value.partition("://")
    host, colon, port = place.rpartition(":")
    try:
        if colon:
            ipaddress.ip_address(host)
        sound = place[0] in "/@" if protocol == "unix" else 0 < int(port) < 65536
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(
            "write a port, an address and a port, or an absolute path: tcp://23, udp://127.0.0.1:161, unix:///run/x.sock"
        )
    return value


def _process_name(value: str) -> str:
    if value.startswith("/"):
        raise ValueError(f"write the name alone, without its folder: '{value.rpartition('/')[2][:15]}'")
    if len(value.encode()) > 15:
        raise ValueError(f"the kernel keeps 15 bytes of a name: write '{value.encode()[:15].decode(errors='ignore')}'")
    return value


def valid_version(distro: str, version: str) -> bool:
    """Whether `version` can be one of that distribution's package manager."""
    rpm = distro.rpartition("-")[0] in RPM_DISTROS
    return bool((_RPM_VERSION if rpm else _DPKG_VERSION).fullmatch(version))


PLAIN_NUMBER = BeforeValidator(_plain)
Share = Annotated[float, Field(ge=0, le=1), PLAIN_NUMBER]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Unit = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_unit)]
PackageName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_package)]
AtLeast = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_at_least)]
Regex = Annotated[str, StringConstraints(min_length=1), AfterValidator(_compiled)]
# A string is split into words as a shell would, and never given to one.
Argv = Annotated[
    list[str],
    Field(min_length=1),
    BeforeValidator(_split),
    AfterValidator(_without_nul),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$"), AfterValidator(_one_path)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+@-]*$")]  # of a module, a user, a package
ModuleName = Annotated[Name, AfterValidator(_module)]
SysctlName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_sysctl)]
Mode = Annotated[str, BeforeValidator(_quoted_mode), WithJsonSchema({"type": "string", "pattern": "^[0-7]{4}$"})]
Setting = Annotated[
    str, BeforeValidator(_settled), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https?://[!-~]+$"})]
TlsOffer = Annotated[str, AfterValidator(_offer)]
SocketAddress = Annotated[str, StringConstraints(pattern=r"^(tcp|udp|unix)://.+$"), AfterValidator(_socket)]
ProcessName = Annotated[str, StringConstraints(min_length=1), AfterValidator(_process_name)]
Network = Annotated[str, AfterValidator(_network)]
Ports = Annotated[
    str,
    BeforeValidator(_ports),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}]}),
]
Ttl = Annotated[
    int, BeforeValidator(parse_ttl), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3}[hdw]$"})
]
Distro = Annotated[str, AfterValidator(_known_distro)]
FixedIn = Annotated[
    list[str] | str,
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
# Names a file in the catalogue, so nothing that could leave its folder.
RemedyId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*(-[A-Za-z0-9]+)+$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
