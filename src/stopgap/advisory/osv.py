"""OSV: one record of an ecosystem's database."""

from collections.abc import Iterator
from typing import Any

from stopgap.advisory.distros import SUBSCRIPTION, distro_of
from stopgap.advisory.model import CVE, NOISE, Advisory, AdvisoryError, Fixes, as_id

Json = dict[str, Any]


def from_osv(told: Json, wanted: str) -> Advisory:
    """What the record says of the vulnerability `wanted`. Raises AdvisoryError for one that was withdrawn."""
    own = [str(told["id"]), *_texts(told, "aliases")]
    cves = [cve for name in [*own, *_texts(told, "upstream"), *_texts(told, "related")] for cve in CVE.findall(name)]
    if told.get("withdrawn"):
        raise AdvisoryError(f"{told['id']} was withdrawn on {str(told['withdrawn'])[:10]}: what it says holds no more")
    found = Advisory(
        id=str(told["id"]),
        names=list(dict.fromkeys([*cves, *map(as_id, own)])),
        title=str(told.get("summary") or ""),
        published=str(told.get("published") or "")[:10],
        references=[str(item.get("url", "")) for item in told.get("references") or []],
        cvss=[str(item.get("score", "")) for item in told.get("severity") or []],
    )
    for affected in told.get("affected") or []:
        _take(affected, wanted, found)
    return found


def _texts(told: Json, key: str) -> list[str]:
    return [str(item) for item in told.get(key) or []]


def _take(affected: Json, wanted: str, found: Advisory) -> None:
    package = affected.get("package") or {}
    ecosystem, source = str(package.get("ecosystem", "")), str(package.get("name", ""))
    distro = distro_of(ecosystem)
    if distro is None:
        why = (
            "only with a subscription" if SUBSCRIPTION.match(ecosystem) else "a release that remedies have no name for"
        )
        found.remarks.append(("left out", f"{source} of {ecosystem}: {why}"))
        return
    listed = _closed_by(affected)
    if listed is not None and wanted not in listed:
        closes = f"closes {', '.join(sorted(listed))}" if listed else "closes no CVE: it ships a mitigation"
        found.doubts.append(f"{source} of {distro} in {found.id} {closes}")
        return
    events = list(_events(affected))
    fixed = [str(event["fixed"]) for event in events if event.get("fixed")]
    introduced = {str(event["introduced"]) for event in events if event.get("introduced") is not None}
    for name, is_source in _binaries(affected, source, distro):
        _note(found.package(name), distro, fixed, introduced, is_source)


def _note(fixes: Fixes, distro: str, fixed: list[str], introduced: set[str], is_source: bool) -> None:
    fixes.is_source = fixes.is_source or is_source
    fixes.introduced.setdefault(distro, set()).update(introduced)
    for version in fixed:
        fixes.add(distro, version)
    if not fixed:
        fixes.unfixed.add(distro)


def _closed_by(affected: Json) -> set[str] | None:
    """Ubuntu says per package which CVEs it closes; None where nothing is said."""
    told = (affected.get("database_specific") or {}).get("cves_map")
    return {str(item.get("id")) for item in told.get("cves") or []} if isinstance(told, dict) else None


def _events(affected: Json) -> Iterator[Json]:
    for part in affected.get("ranges") or []:
        yield from part.get("events") or []


def _binaries(affected: Json, source: str, distro: str) -> Iterator[tuple[str, bool]]:
    """(name, is it a source package). Remedies name binary packages; Debian's records know only the source."""
    told = (affected.get("ecosystem_specific") or {}).get("binaries") or []
    names = [str(item.get("binary_name")) for item in told if isinstance(item, dict) and item.get("binary_name")]
    kept = [name for name in names if not NOISE.search(name)]
    if kept:
        yield from ((name, False) for name in dict.fromkeys(kept))
    elif distro.startswith(("debian-", "ubuntu-")):
        yield source, True
    elif not NOISE.search(source):
        yield source, False
