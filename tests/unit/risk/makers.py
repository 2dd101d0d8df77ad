"""Facts of a case file as the risk package has them: what it leaves out is filled in."""

from datetime import UTC, datetime

from stopgap.ledger.case import Case, as_of
from stopgap.risk.facts import Feeds
from stopgap.risk.knowledge import remedy_facts
from stopgap.risk.order import Judge
from stopgap.risk.policy import Policy

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CVE = "CVE-2024-0001"


def moment(told) -> str | None:
    """A day or a moment of a case file, as the ledger spells it."""
    if told is None:
        return None
    found = datetime.fromisoformat(str(told))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_of(told) -> datetime:
    return datetime.fromisoformat(told["now"]) if "now" in told else NOW


def policy_of(told) -> Policy:
    return Policy.model_validate({"apiVersion": "stopgap/v1", **told.get("policy", {})})


def feeds_of(told) -> Feeds:
    """A feed of `null` is not kept; one that is not named is kept and empty."""
    kev, epss = told.get("kev", {}), told.get("epss", {})
    days = {cve: {key: str(value) for key, value in entry.items()} for cve, entry in (kev or {}).items()}
    return Feeds(days, epss or {}, "" if kev is None else "KEV", "" if epss is None else "EPSS")


def judge_of(told) -> Judge:
    remedies = {name: remedy_facts(name, facts, "a test") for name, facts in told.get("remedies", {CVE: {}}).items()}
    return Judge(remedies, feeds_of(told), policy_of(told), now_of(told))


def case(said, now=NOW) -> Case:
    return as_of(
        Case(
            estate=said.get("estate", "default"),
            host=said["host"],
            remedy=said.get("remedy", CVE),
            state=said.get("state", "exposed"),
            flags=tuple(said.get("flags", ())),
            exposed_at=moment(said.get("exposed_at")),
            closed_at=moment(said.get("closed_at")),
            protected_until=moment(said.get("protected_until")),
            accepted_until=moment(said.get("accepted_until")),
            exposure=said.get("exposure", ""),
            criticality=said.get("criticality", "low"),
            owner=said.get("owner", ""),
        ),
        now,
    )
