"""What due dates are made of: the values that count, and for each where it comes from or that it was assumed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from stopgap.risk import policy as site
from stopgap.risk.policy import Assume, Policy

EXPOSURES = get_args(site.Exposure)
CRITICALITIES = get_args(site.Criticality)
RULE_NAMES = {"epss_at_least": "EPSS"}  # of a policy's conditions, where a fact has another name
Entry = dict[str, Any]
INVENTORY = "the inventory, at the last assessment"


@dataclass(frozen=True, slots=True)
class RemedyFacts:
    """What is known of a vulnerability. `source` says where from, with its date. None: nobody has told."""

    id: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    published: str | None = None
    cvss: str | None = None
    automatable: bool | None = None
    technical_impact: str | None = None
    source: str = "any remedy we know"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.id, *self.aliases)))

    @property
    def cves(self) -> tuple[str, ...]:
        """The names as feeds spell them: in a remedy they count in any case."""
        return tuple(dict.fromkeys(name.upper() for name in self.names))


@dataclass(frozen=True, slots=True)
class About:
    """What the controller told of a host. "" where it did not."""

    estate: str = ""
    exposure: str = ""
    criticality: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the kept feeds say of the CVEs asked about. A source of "" means that there is no such feed."""

    kev: Mapping[str, Mapping[str, Any]]
    epss: Mapping[str, Mapping[str, Any]]
    kev_source: str = ""
    epss_source: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """One fact as the explanation tells it. `assumed` is on what ground, "" where somebody told. `decides`: the due
    date may hang on it; other facts only weigh in the order of work."""

    name: str
    value: str
    source: str
    assumed: str = ""
    how_to_tell: str = ""
    decides: bool = True

    @property
    def said(self) -> str:
        ground = f", assumed: {self.assumed}" if self.assumed else ""
        return f"{self.value}{ground} ({self.source})"

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.said}." + (f" {self.how_to_tell}" if self.how_to_tell else "")


@dataclass(frozen=True, slots=True)
class Facts:
    """All values that decide. `kev` has KEV's entries, each with its `cve`; `told` says where each value comes from."""

    names: frozenset[str]
    estate: str
    owner: str
    exposure: str
    criticality: str
    severity: str
    automatable: bool
    technical_impact: str
    kev: tuple[Entry, ...]
    kev_source: str
    epss: float | None
    told: tuple[Known, ...]


def gather(remedy: RemedyFacts, about: About, feeds: Feeds, policy: Policy) -> Facts:
    """Facts that were told, and for the others what the policy assumes: the worse value, unless it says otherwise."""
    kev = tuple({**feeds.kev[name], "cve": name} for name in remedy.cves if name in feeds.kev)
    epss = _scored(remedy, feeds)
    score = _score(remedy)
    assume = policy.assume
    return Facts(
        names=frozenset(map(str.casefold, remedy.names)),
        estate=about.estate,
        owner=about.owner,
        exposure=about.exposure if about.exposure in EXPOSURES else assume.exposure,
        criticality=about.criticality if about.criticality in CRITICALITIES else assume.criticality,
        severity=score[1] if score else assume.severity,
        automatable=assume.automatable if remedy.automatable is None else remedy.automatable,
        technical_impact=remedy.technical_impact or assume.technical_impact,
        kev=kev,
        kev_source=feeds.kev_source,
        epss=epss["epss"] if epss else None,
        told=tuple(
            replace(one, decides=one.name in _asked(policy)) for one in _told(remedy, about, feeds, assume, kev, epss)
        ),
    )


def _asked(policy: Policy) -> set[str]:
    """The facts that a due date may hang on: those of CISA's table, and those of the site's rules."""
    asked = {name for rule in policy.rules for name in rule.when.model_fields_set}
    return {"KEV", "exposure", "automatable", "technical impact"} | {RULE_NAMES.get(name, name) for name in asked}


def _told(
    remedy: RemedyFacts, about: About, feeds: Feeds, assume: Assume, kev: tuple[Entry, ...], epss: Entry | None
) -> Iterator[Known]:
    yield _known_kev(kev, feeds)
    yield _from_inventory("exposure", about.exposure, EXPOSURES, assume)
    yield _from_remedy("automatable", remedy, remedy.automatable, assume)
    yield _from_remedy("technical_impact", remedy, remedy.technical_impact, assume)
    yield _known_epss(epss, feeds)
    yield _known_severity(remedy, assume)
    yield _from_inventory("criticality", about.criticality, CRITICALITIES, assume)
    if about.owner:
        yield Known("owner", about.owner, INVENTORY)


def _scored(remedy: RemedyFacts, feeds: Feeds) -> Entry | None:
    found = [{**feeds.epss[name], "cve": name} for name in remedy.cves if name in feeds.epss]
    return max(found, key=lambda entry: (entry["epss"], entry["cve"]), default=None)


def _score(remedy: RemedyFacts) -> tuple[float, str] | None:
    from stopgap.risk.severity import base_score

    return base_score(remedy.cvss) if remedy.cvss else None


def _known_kev(entries: tuple[Entry, ...], feeds: Feeds) -> Known:
    if not feeds.kev_source:
        way = "Get it: `stopgap risk update --kev FILE|URL`."
        return Known("KEV", "not listed", "no KEV feed is kept", "knowing no better", way)
    if not entries:
        return Known("KEV", "not listed", feeds.kev_source)
    listed = ", ".join(f"{entry['cve']} listed since {entry['added']}" for entry in entries)
    used = "; known to be used by ransomware" if any(entry.get("ransomware") for entry in entries) else ""
    return Known("KEV", listed + used, feeds.kev_source)


def _known_epss(entry: Entry | None, feeds: Feeds) -> Known:
    if not feeds.epss_source:
        way = "Get it: `stopgap risk update --epss FILE|URL`."
        return Known("EPSS", "not known", "no EPSS feed is kept", how_to_tell=way)
    if entry is None:
        return Known("EPSS", "no score", feeds.epss_source)
    value = f"{entry['epss']:.2%} in the next 30 days, at or above {entry['percentile']:.1%} of all CVEs"
    return Known("EPSS", f"{entry['cve']} {value}", feeds.epss_source)


def _known_severity(remedy: RemedyFacts, assume: Assume) -> Known:
    score = _score(remedy)
    if score is None:
        way = "Tell it: `risk: {cvss: …}` in the remedy."
        why = f"no CVSS vector in {remedy.source}"
        return Known("severity", assume.severity, why, _ground("severity", assume), way)
    return Known("severity", f"{score[1]}, CVSS {score[0]}", remedy.source)


def _from_inventory(name: str, told: str, known: tuple[str, ...], assume: Assume) -> Known:
    if told in known:
        return Known(name, told, INVENTORY)
    why = f"the inventory's '{told}' is none of {', '.join(known)}" if told else "the inventory does not tell"
    way = f"Tell it: `stopgap_{name}` in the inventory, then assess."
    return Known(name, _said(getattr(assume, name)), why, _ground(name, assume), way)


def _from_remedy(name: str, remedy: RemedyFacts, told: bool | str | None, assume: Assume) -> Known:
    shown = name.replace("_", " ")
    if told is not None:
        return Known(shown, _said(told), remedy.source)
    way = f"Tell it: `risk: {{{name}: …}}` in the remedy."
    return Known(shown, _said(getattr(assume, name)), f"not told by {remedy.source}", _ground(name, assume), way)


def _ground(name: str, assume: Assume) -> str:
    return "the site's policy" if name in assume.model_fields_set else "the worse value"


def _said(value: bool | str) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"
