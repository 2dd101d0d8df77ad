"""The typed items of a remedy: a map of one key, of a type that one of the registries knows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BaseModel, Discriminator, Field, Tag, create_model, model_serializer

from stopgap.remedy.actions import ACTIONS
from stopgap.remedy.basis import Question, Strict, Sysctl
from stopgap.remedy.checks import CHECKS
from stopgap.remedy.values import PLAIN_NUMBER, AbsolutePath, Argv, Regex, Text, Unit


class FileHas(Strict):
    path: AbsolutePath
    matches: Regex


class UsersOf(Strict):
    """Units on old code of a package, with limits. What is left runs on, is told, and keeps the case `patched`."""

    package: Text
    spared: list[Text] = Field(default=[], alias="except")
    at_most: Annotated[int, Field(gt=0), PLAIN_NUMBER] | None = None


PROBES: Mapping[str, Any] = {"service_active": Unit, "file_has": FileHas, "command": Question, "sysctl": Sysctl}
STEPS: Mapping[str, Any] = {"restart": Text, "reload": Text, "restart_users_of": Text | UsersOf, "run": Argv}


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
