"""A remedy, as DESIGN §5 writes it. These models are the schema: files, JSON Schema and resolved JSON follow them."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from stopgap.remedy.basis import Strict
from stopgap.remedy.types import Action, Check, Probe, Step
from stopgap.remedy.values import PLAIN_NUMBER, Distro, FixedIn, PackageName, RemedyId, Slug, Text, Ttl

Reboot = Literal["never", "if_required", "always"]
REVISIONS = 1_000_000  # the ledger counts no further
_CVSS = r"^CVSS:(3\.[01]|4\.0)(/[A-Za-z]+:[A-Za-z]+)+$"


class Risk(Strict):
    """What is not known stays null; urgency rules treat null as the worst case."""

    cvss: Annotated[str, StringConstraints(pattern=_CVSS)] | None = None
    automatable: bool | None = None
    technical_impact: Literal["partial", "total"] | None = None


class AffectedPackage(Strict):
    """Versions are source package versions, per release."""

    name: PackageName
    introduced: Text | None = None
    fixed_in: dict[Distro, FixedIn] = Field(min_length=1)


class Affected(Strict):
    packages: list[AffectedPackage] = []
    when: list[Probe] = []


class Mitigation(Strict):
    """Interim and reversible. `why` says who took a withdrawn one back; `leaves` what a partial one leaves open."""

    id: Slug
    title: Text
    side_effect: Text
    disruption: Literal["low", "medium", "high"]
    reboot: Reboot = "never"
    persists: Literal["always", "until_reboot", "until_restart", "until_reinstall"] = "always"
    status: Literal["valid", "withdrawn", "partial"] = "valid"
    leaves: Text | None = None
    why: Text | None = None
    ttl: Ttl = Field(default=14 * 86400, serialization_alias="ttl_seconds", json_schema_extra={"default": "14d"})
    actions: list[Action] = Field(min_length=1)
    then: list[Step] = []
    checks: list[Check] = []


class Obligation(Strict):
    """What patching alone does not do: shown by checks, or attested by a person."""

    id: Slug
    title: Text
    checks: list[Check] = []
    attest: bool = False


class Fix(Strict):
    """The vendor's. `packages` that are not installed on a host are left alone there."""

    packages: list[Text] = []
    then: list[Step] = []
    reboot: Reboot = "if_required"
    obligations: list[Obligation] = []


class Indicator(Strict):
    """A sign of compromise. Its checks pass where nothing suspicious is seen."""

    id: Slug
    title: Text
    checks: list[Check] = Field(min_length=1)


class Remedy(Strict):
    """How to handle one vulnerability."""

    api_version: Literal["stopgap/v1"] = Field(alias="apiVersion", exclude=True)
    id: RemedyId
    revision: Annotated[int, Field(ge=1, lt=REVISIONS), PLAIN_NUMBER]
    title: Text
    aliases: list[Text] = []
    published: date | None = None
    references: list[Annotated[str, StringConstraints(pattern=r"^https://\S+$")]] = []
    risk: Risk = Risk()
    affected: Affected
    mitigations: list[Mitigation] = []
    fix: Fix = Fix()
    checks: list[Check] = []
    indicators: list[Indicator] = []

    def resolved(self) -> dict[str, Any]:
        """The shape of contracts.md §2, but for `source`, which only the loader knows."""
        return self.model_dump(mode="json", by_alias=True)
