"""Which group a case belongs to. A new grouping is one function and one line."""

from collections.abc import Callable

from stopgap.measures.report import Row
from stopgap.risk.facts import RemedyFacts

NO_OWNER = "(no owner told)"
NOT_SCORED = "not scored"

Naming = Callable[[Row], str]


def by_team(_remedies: dict[str, RemedyFacts]) -> Naming:
    """Who owns the host, as the inventory says (`stopgap_owner`)."""
    return lambda row: row["owner"] or NO_OWNER


def by_remedy(_remedies: dict[str, RemedyFacts]) -> Naming:
    return lambda row: str(row["remedy"])


def by_estate(_remedies: dict[str, RemedyFacts]) -> Naming:
    return lambda row: str(row["estate"])


def by_severity(remedies: dict[str, RemedyFacts]) -> Naming:
    """The base severity of the remedy's CVSS vector."""
    severities = {name: _severity(facts) for name, facts in remedies.items()}
    return lambda row: severities[row["remedy"]]


def _severity(facts: RemedyFacts) -> str:
    from stopgap.risk.severity import base_score

    scored = base_score(facts.cvss) if facts.cvss else None
    return scored[1] if scored else NOT_SCORED


GROUPS: dict[str, Callable[[dict[str, RemedyFacts]], Naming]] = {
    "team": by_team,
    "remedy": by_remedy,
    "severity": by_severity,
    "estate": by_estate,
}
