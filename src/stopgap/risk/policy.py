"""A site's own word on due dates: what to assume where nothing is told, and rules that go before CISA's table."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from stopgap.remedy.basis import Strict
from stopgap.remedy.errors import InvalidRemedy, RemedyError
from stopgap.remedy.load import read, validated
from stopgap.remedy.nodes import parse
from stopgap.remedy.values import PLAIN_NUMBER, Share, Text, parse_ttl
from stopgap.risk.errors import InvalidPolicy

Exposure = Literal["internet", "internal", "isolated"]
Criticality = Literal["low", "medium", "high", "critical"]
Severity = Literal["none", "low", "medium", "high", "critical"]
Impact = Literal["partial", "total"]


class Assume(Strict):
    """What holds where a fact was not told. The worse value, unless the site knows better."""

    exposure: Exposure = "internet"
    criticality: Criticality = "critical"
    severity: Severity = "critical"
    automatable: bool = True
    technical_impact: Impact = "total"


class When(Strict):
    """All that are given must hold; a list means any of them."""

    kev: bool | None = None
    exposure: Exposure | list[Exposure] | None = None
    criticality: Criticality | list[Criticality] | None = None
    severity: Severity | list[Severity] | None = None
    automatable: bool | None = None
    technical_impact: Impact | None = None
    epss_at_least: Share | None = None
    remedy: Text | list[Text] | None = None
    estate: Text | list[Text] | None = None
    owner: Text | list[Text] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        """What was forgotten behind a key must not silently make the rule one for every case, or for none."""
        for name in sorted(self.model_fields_set):
            if getattr(self, name) in (None, []):
                raise ValueError(f"{name} has no value: give it one, or leave it out")
        return self


class Rule(Strict):
    """How long a case may stay open that `when` holds for; without `when` any case."""

    when: When = When()
    days: Annotated[int, Field(ge=0, le=3650), PLAIN_NUMBER] | None = None
    next_upgrade: Literal[True] | None = None
    forensics: bool = False
    why: Text

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.days is None) == (self.next_upgrade is None):
            raise ValueError("give either days or next_upgrade: true")
        return self


class Recheck(Strict):
    """How old a proof may get, in seconds, of a case that may stay open for so many days; without `days` any other."""

    days: Annotated[int, Field(ge=0, le=3650), PLAIN_NUMBER] | None = None
    every: Annotated[int, BeforeValidator(parse_ttl), Field(le=31 * 24 * 3600)]


RECHECK = [Recheck(days=3, every="1h"), Recheck(days=14, every="6h"), Recheck(every="1d")]  # type: ignore[arg-type]


class Policy(Strict):
    """`kev_due_date`: KEV's own date binds if it is the `earliest` and was still to come when the host was found
    affected; `always`, also where it had passed by then; or `ignore` it."""

    api_version: Literal["stopgap/v1"] = Field(alias="apiVersion")
    assume: Assume = Assume()
    kev_due_date: Literal["earliest", "always", "ignore"] = "earliest"
    rules: list[Rule] = []
    recheck: list[Recheck] = RECHECK

    @field_validator("recheck")
    @classmethod
    def _leaves_nobody_out(cls, given: list[Recheck]) -> list[Recheck]:
        *some, rest = [one.days for one in given] or [0]
        days = [day for day in some if day is not None]
        if rest is not None or len(days) < len(some) or days != sorted(set(days)):
            raise ValueError("write it by rising days, and the last one without days, for all the rest")
        return given


NONE = Policy(apiVersion="stopgap/v1")


def load_policy(file: Path) -> Policy:
    """Raises InvalidPolicy with every problem found, each as `FILE:LINE: message`."""
    try:
        return validated(parse(file, read(file), "docs/reference/risk.md"), Policy)
    except InvalidRemedy as error:
        raise InvalidPolicy(str(error)) from None
    except RemedyError as error:
        raise InvalidPolicy(f"the policy cannot be read: {error}") from None
