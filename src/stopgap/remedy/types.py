"""The typed items: what each action, probe, step and check takes. A new type is one model and one registry entry."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, Union

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    create_model,
    model_serializer,
    model_validator,
)

from stopgap.remedy.values import AbsolutePath, Argv, Mode, Regex, Setting, Text


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt one must not silently mean its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _OneOf(Strict):
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
    rc: Annotated[list[int], Field(min_length=1)] = [0]
    stdout_has: Text | None = None
    stdout_lacks: Text | None = None
    stdout_matches: Regex | None = None
    stdout_lacks_match: Regex | None = None
    stdin: str | None = None
    timeout: Annotated[int, Field(gt=0, le=3600)] = 30


class Question(Command):
    """A command that is asked something. The exit code alone never says no, so the output has to."""

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if not (self.stdout_has or self.stdout_lacks or self.stdout_matches or self.stdout_lacks_match):
            raise ValueError("can never answer no: add stdout_has, stdout_lacks, stdout_matches or stdout_lacks_match")
        return self


class Service(_OneOf):
    name: Text
    running: bool | None = None
    enabled: bool | None = None
    masked: bool | None = None


class Sysctl(Strict):
    name: Text
    value: Setting


class SysctlAction(Sysctl):
    file: AbsolutePath | None = None


class FileMode(Strict):
    path: AbsolutePath
    mode: Mode
    owner: Text | None = None
    group: Text | None = None


class DropIn(Strict):
    """A whole file that is ours. `validate` is the program that must accept the result."""

    path: AbsolutePath
    content: str
    mode: Mode = "0644"
    validate_with: Argv | None = Field(default=None, alias="validate")


class SshdOption(Strict):
    name: Text
    value: Setting


class CommandAction(Strict):
    check: Question
    apply: Command
    revert: Command


class Tasks(Strict):
    """Ansible task files, relative to the remedy's own folder."""

    apply: Text
    revert: Text
    vars: dict[str, Any] = {}


class FileHas(Strict):
    path: AbsolutePath
    matches: Regex


class PackageCheck(Strict):
    name: Text
    at_least: Text = "fixed"


class ProcessesCheck(Strict):
    not_on_old_code: Text


class SocketCheck(Strict):
    listening: bool
    address: Annotated[str, StringConstraints(pattern=r"^(tcp|udp|unix)://.+$")]


class FileCheck(_OneOf):
    path: AbsolutePath
    exists: bool | None = None
    mode: Mode | None = None
    matches: Regex | None = None
    lacks_match: Regex | None = None


ACTIONS: Mapping[str, Any] = {
    "service": Service,
    "sysctl": SysctlAction,
    "file_mode": FileMode,
    "file": DropIn,
    "sshd_option": SshdOption,
    "command": CommandAction,
    "tasks": Tasks,
}
PROBES: Mapping[str, Any] = {"service_active": Text, "file_has": FileHas, "command": Question, "sysctl": Sysctl}
STEPS: Mapping[str, Any] = {"restart": Text, "reload": Text, "restart_users_of": Text, "run": Argv}
CHECKS: Mapping[str, Any] = {
    "package": PackageCheck,
    "processes": ProcessesCheck,
    "service": Service,
    "socket": SocketCheck,
    "file": FileCheck,
    "command": Question,
    "sysctl": Sysctl,
}


class Item(Strict):
    """A map of one key in YAML, `{"type": KEY, "params": VALUE}` everywhere else."""

    @property
    def type(self) -> str:
        return next(iter(type(self).model_fields))

    @property
    def params(self) -> Any:
        return getattr(self, self.type)

    @model_serializer
    def _travel(self) -> dict[str, Any]:
        params = self.params
        value = params.model_dump(by_alias=True) if isinstance(params, BaseModel) else params
        return {"type": self.type, "params": value}


def _type_of(value: Any) -> str | None:
    if isinstance(value, Item):
        return value.type
    return str(next(iter(value))) if isinstance(value, dict) and len(value) == 1 else None


def _one_of(kind: str, registry: Mapping[str, Any]) -> Any:
    """The union of one-key models over a registry: pydantic and the JSON Schema both see every type."""
    choices = [Annotated[_item_model(kind, name, params), Tag(name)] for name, params in registry.items()]
    return Annotated[Union[tuple(choices)], Discriminator(_type_of)]  # noqa: UP007 (the tuple is made at run time)


def _item_model(kind: str, name: str, params: Any) -> Any:
    field: Any = {name: (params, ...)}
    return create_model(f"{kind}_{name}", __base__=Item, **field)


if TYPE_CHECKING:  # unions built at run time, which a type checker cannot follow
    Action = Item
    Probe = Item
    Step = Item
    Check = Item
else:
    Action = _one_of("action", ACTIONS)
    Probe = _one_of("probe", PROBES)
    Step = _one_of("step", STEPS)
    Check = _one_of("check", CHECKS)
