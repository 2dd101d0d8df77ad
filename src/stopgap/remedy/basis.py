"""What the parameters of typed items are made of."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stopgap.remedy.values import PLAIN_NUMBER, Argv, Regex, Setting, SysctlName, Text, Unit


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt one must not silently mean its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OneOf(Strict):
    """At least one of its optional keys must be set, or the item says nothing."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        optional = [name for name, field in type(self).model_fields.items() if field.default is None]
        if all(getattr(self, name) is None for name in optional):
            raise ValueError(f"says nothing to look at or to set; give one of: {', '.join(optional)}")
        return self


class Command(Strict):
    """One program run without a shell. An exit code not in `rc` is unknown, never false."""

    run: Argv
    rc: Annotated[list[Annotated[int, PLAIN_NUMBER]], Field(min_length=1)] = [0]
    stdout_has: Text | None = None
    stdout_lacks: Text | None = None
    stdout_matches: Regex | None = None
    stdout_lacks_match: Regex | None = None
    stdin: str | None = None
    timeout: Annotated[int, Field(gt=0, le=3600), PLAIN_NUMBER] = 30


class Question(Command):
    """A command that is asked something. The exit code alone never says no, so the output has to."""

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if not (self.stdout_has or self.stdout_lacks or self.stdout_matches or self.stdout_lacks_match):
            raise ValueError("can never answer no: add stdout_has, stdout_lacks, stdout_matches or stdout_lacks_match")
        return self


class Service(OneOf):
    name: Unit
    running: bool | None = None
    enabled: bool | None = None
    masked: bool | None = None


class Sysctl(Strict):
    name: SysctlName
    value: Setting
