"""P6: new knowledge of a remedy reopens what was closed under an older revision, offline. Pure.

What an answer rests on is kept with the case (the packages last seen, the revision it was asked under), so that a
higher revision can be held against it without asking a host. From then on an answer under an older one closes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from stopgap.ledger.events import REASON_LIMIT, Event, clean

if TYPE_CHECKING:
    from stopgap.ledger.facts import Facts, Proof

PACKAGES_LIMIT = 100  # as many as the callback tells

Package = Sequence[str]  # name, arch, version as advisories name it
Wanted = tuple[str, str, tuple[str, ...]]  # package, introduced or "", fixed versions


class Basis(msgspec.Struct, frozen=True, omit_defaults=True):
    """`known` is the highest revision the catalogue has, `offered` the mitigations it still has (None: not told)."""

    known: int = 0
    offered: Sequence[str] | None = None
    distro: str = ""
    seen: Sequence[Package] = ()
    seen_on: str = ""  # the day
    closed_under: int = 0  # the revision of the answer that closed the case
    reopened: bool = False  # by new knowledge, until it is closed again
    note: str = ""  # the last answer was of an older revision


# --- knowledge comes in --------------------------------------------------------------------------------------------


def know(facts: Facts, event: Event) -> Facts:
    """A `remedy` event. Only a revision higher than any before it says something new."""
    if event.revision <= facts.basis.known:
        return facts
    opens = _is_closed(facts) and facts.basis.closed_under < event.revision
    basis = replace(
        facts.basis,
        known=event.revision,
        offered=_offered(event),
        note="",
        reopened=facts.basis.reopened or opens,
    )
    short = shortfall(event, basis)
    facts = replace(facts, basis=basis)
    if opens:
        return _reopen(facts, event, short)
    if facts.fix == "installed" and short:  # what was taken for the fix is none
        return replace(facts, fix="absent", said=short, fix_open="", objection="", proven_before=False)
    return facts


def _reopen(facts: Facts, event: Event, short: str) -> Facts:
    old = facts.basis.closed_under
    if facts.affected is False:
        if short and event.evidence.get("conditions") is False:
            return replace(facts, affected=True, fix="absent", said=short)
        why = f"not affected under revision {old} ({facts.said}); assess it under revision {event.revision}"
        return replace(facts, affected=None, doubt=clean(why, REASON_LIMIT), doubt_is_silence=False)
    if short:
        return replace(facts, fix="absent", said=short, fix_open="", objection="")
    why = f"proven under revision {old}; revision {event.revision} asks for a new proof"
    return replace(facts, fix="installed", fix_open=why, objection="")


def _is_closed(facts: Facts) -> bool:
    return facts.affected is False or facts.fix == "in_effect"


def _offered(event: Event) -> list[str] | None:
    told = event.evidence.get("mitigations")
    return [name for name, status in told.items() if status != "withdrawn"] if isinstance(told, dict) else None


def is_withdrawn(basis: Basis, mitigation: str, proof: Proof | None) -> bool:
    """The known revision took this mitigation back, and its proof is of an older one."""
    older = proof is not None and proof.revision < basis.known
    return older and basis.offered is not None and bool(mitigation) and mitigation not in basis.offered


# --- what was seen, held against it --------------------------------------------------------------------------------


def shortfall(event: Event, basis: Basis) -> str:
    """What this revision wants and the packages last seen lack; "" where they suffice or it cannot be told."""
    wanted = tuple(_wanted(event, basis.distro))
    found = _first_short(basis.distro, wanted, tuple(map(tuple, basis.seen))) if wanted else None
    if found is None:
        return ""
    name, required, version = found
    want = f"revision {event.revision} wants {name} >= {required}"
    return clean(f"{want}; it was {version} here (assessed {basis.seen_on})", REASON_LIMIT)


def _wanted(event: Event, distro: str) -> Iterator[Wanted]:
    """Where this distribution has fixed versions."""
    packages = event.evidence.get("packages")
    for package in packages if isinstance(packages, list) else []:
        fixed_in = package.get("fixed_in") if isinstance(package, dict) else None
        fixes = fixed_in.get(distro) if isinstance(fixed_in, dict) else None
        if isinstance(fixes, list) and fixes and all(isinstance(one, str) for one in fixes):
            introduced = package.get("introduced")
            yield str(package.get("name")), introduced if isinstance(introduced, str) else "", tuple(fixes)


@lru_cache(maxsize=1024)  # a fleet has few combinations, and many hosts of each
def _first_short(
    distro: str, wanted: tuple[Wanted, ...], seen: tuple[tuple[str, ...], ...]
) -> tuple[str, str, str] | None:
    """(package, required version, version seen)"""
    from stopgap.versions import is_below, meets  # seldom needed: a play's delivery stays quick

    for name, introduced, fixes in wanted:
        for version in _versions(distro, name, seen):
            if introduced and is_below(distro, version, introduced):
                continue
            told = meets(distro, version, fixes)
            if told and not told[0]:
                return name, told[1], version
    return None


def _versions(distro: str, name: str, seen: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """One for each architecture. Of what lies side by side, as kernels do, the newest."""
    from stopgap.versions import newest

    of_arch: dict[str, list[str]] = {}
    for one, arch, version in seen:
        if one == name:
            of_arch.setdefault(arch, []).append(version)
    return (found for found in (newest(distro, versions) for versions in of_arch.values()) if found is not None)


# --- answers come in -----------------------------------------------------------------------------------------------


def weigh(before: Facts, after: Facts, event: Event) -> Facts:
    """`after` is what the answer says by itself; what becomes of it, given what is known."""
    seen = _look(before.basis, event)
    after = after if seen is after.basis else replace(after, basis=seen)
    if event.verdict == "unknown" or (event.kind == "patch" and event.verdict not in ("installed", "already")):
        return after
    if event.revision >= seen.known:
        return _closed_anew(before, after, event)
    note = f"proof is of revision {event.revision}; revision {seen.known} is known: update the catalogue"
    return _without_closing(before, replace(after, basis=replace(seen, note=note)), event)


def _look(basis: Basis, event: Event) -> Basis:
    packages = event.evidence.get("packages") if event.kind == "assessed" else None
    if not isinstance(packages, list) or "packages" in _left_out(event.evidence):
        return basis
    distro = event.evidence.get("distro")
    distro = clean(distro, 64) if isinstance(distro, str) and distro else basis.distro
    return replace(basis, distro=distro, seen=_seen(packages, basis.seen), seen_on=event.at[:10])


def _left_out(evidence: dict[str, Any]) -> list[Any]:
    cut = evidence.get("cut")
    return cut if isinstance(cut, list) else []


def _seen(packages: list[Any], before: Sequence[Package]) -> Sequence[Package]:
    """Nearly always what was seen before: then it is clean."""
    keys = ("name", "arch", "source_version")
    told = [[one.get(key) for key in keys] for one in packages[:PACKAGES_LIMIT] if isinstance(one, dict)]
    if told == before:
        return before
    return [[clean(str(text), 200) for text in one] for one in told if all(isinstance(text, str) for text in one)]


def _closed_anew(before: Facts, after: Facts, event: Event) -> Facts:
    basis = replace(after.basis, note="") if after.basis.note else after.basis
    if _closes(after, event):
        under = max(event.revision, before.basis.closed_under if _is_closed(before) else 0)
        basis = replace(basis, closed_under=under, reopened=False)
    return after if basis is after.basis else replace(after, basis=basis)


def _closes(after: Facts, event: Event) -> bool:
    if event.kind == "assessed":
        return event.verdict == "not_affected"
    return event.kind == "verified" and event.verdict == "pass" and after.fix == "in_effect"


def _without_closing(before: Facts, after: Facts, event: Event) -> Facts:
    after = replace(after, entries=_still_withdrawn(before, after))
    if after.affected is False and before.affected is not False:
        return _not_affected_once(before, after, event)
    if after.fix == "in_effect" and before.fix != "in_effect":
        proven = {"fix_gone": before.fix_gone, "proven_before": before.proven_before}
        return replace(after, fix="installed", fix_open="", **proven)
    same = after.basis.seen == before.basis.seen and not (event.kind == "patch" and event.verdict == "installed")
    if before.fix == "absent" and after.fix == "installed" and same:
        return replace(after, fix="absent", said=before.said, fix_open="", objection="")
    return after


def _not_affected_once(before: Facts, after: Facts, event: Event) -> Facts:
    """An older catalogue sees no harm: an exposed case stays exposed, and an open question stays open."""
    kept = replace(
        before,
        basis=after.basis,
        answered_at=after.answered_at,
        entries=after.entries,
        proofs=after.proofs,
        exposure=after.exposure,
        criticality=after.criticality,
        owner=after.owner,
    )
    if before.affected:
        return replace(kept, doubt="", rebuilt="")
    why = clean(f"not affected under revision {event.revision} ({event.reason})", REASON_LIMIT)
    return replace(kept, affected=None, doubt=why, doubt_is_silence=False)


def _still_withdrawn(before: Facts, after: Facts) -> Any:
    taken = {name for name, entry in before.entries.items() if entry.withdrawn}
    return {
        name: replace(entry, withdrawn=True) if name in taken and not entry.withdrawn else entry
        for name, entry in after.entries.items()
    }
