"""From a file to a Remedy, or to every problem in it with its line and the way out."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stopgap.remedy.errors import InvalidRemedy, Problem, UnreadableRemedy
from stopgap.remedy.models import Remedy
from stopgap.remedy.nodes import Document, parse
from stopgap.remedy.rules import RULES

Loc = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


def load(file: Path) -> Remedy:
    """The remedy in `file`. Raises UnreadableRemedy, or InvalidRemedy with every problem found."""
    document = parse_file(file)
    remedy = validated(document, Remedy)
    broken = [_at(document, where, what) for rule in RULES for where, what in rule(remedy)]
    if remedy.id != file.stem:
        broken.append(_at(document, ("id",), f"the file is named {file.name}: name it {remedy.id}.yml"))
    if broken:
        raise InvalidRemedy(broken)
    return remedy


def validated(document: Document, schema: type[Model]) -> Model:
    """A file's data as what `schema` says. Raises InvalidRemedy with every problem found."""
    try:
        return schema.model_validate(document.data)
    except ValidationError as error:
        raise InvalidRemedy([_problem(document, item, schema) for item in error.errors()]) from None


def parse_file(file: Path) -> Document:
    """Raises UnreadableRemedy, also for what is no file (a pipe would be waited for), or InvalidRemedy."""
    if file.exists() and not file.is_file():
        raise UnreadableRemedy(f"{file}: not a file")
    return parse(file, read(file))


def read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableRemedy(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidRemedy([Problem(file, line, "not UTF-8 text: save it as UTF-8")]) from None


def near(word: str, known: Sequence[str]) -> str:
    """`; did you mean 'x'?` where something known is close, else nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _at(document: Document, loc: Loc, message: str) -> Problem:
    return Problem(document.file, document.line_of(loc), message)


def _problem(document: Document, error: ErrorDetails, schema: type[BaseModel]) -> Problem:
    loc = error["loc"]
    if error["type"] == "union_tag_not_found":
        message = f"{_dotted(loc)}: write one type an item, as `- TYPE: ...`; types: {_types(loc, schema)}"
    elif error["type"] == "union_tag_invalid":
        tag = str(error["ctx"]["tag"])
        types = _types(loc, schema)
        message = f"{_dotted(loc)}: there is no type '{tag}'{near(tag, types.split(', '))} (types: {types})"
    elif error["type"] == "extra_forbidden":
        known = _keys_at(loc[:-1], schema)
        message = f"unknown key '{loc[-1]}'{near(str(loc[-1]), known)} (keys here: {', '.join(known)})"
    elif error["type"] == "missing":
        message = f"the key '{loc[-1]}' is missing{_after(loc[:-1])}"
    else:
        message = f"{_dotted(loc)}: {error['msg'].removeprefix('Value error, ')}{_hint(error)}"
    return _at(document, loc, message)


def _hint(error: ErrorDetails) -> str:
    """YAML turns bare words and numbers into other types; the schema's own message does not say so."""
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float):
        return f" (YAML reads {error['input']!r} here: put it in quotes)"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        return near(error["input"], error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    return ""


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in _without_tags(loc)) or "the file"


def _after(loc: Loc) -> str:
    return f" in {_dotted(loc)}" if loc else ""


def _without_tags(loc: Loc) -> Iterator[str | int]:
    """Pydantic says a one-key map's type twice: once as the union's tag, once as the key."""
    previous: str | int | None = None
    for part in loc:
        if part != previous or isinstance(part, int):
            yield part
        previous = part


def _types(loc: Loc, schema: type[BaseModel]) -> str:
    return ", ".join(sorted({key for model in _models_at(loc, schema) for key in model.model_fields}))


def _keys_at(loc: Loc, schema: type[BaseModel]) -> list[str]:
    return [name for model in _models_at(loc, schema) for name, _ in _fields(model)]


def _models_at(loc: Loc, schema: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that can stand at `loc`, found along the schema's own fields."""
    here: list[type[BaseModel]] = [schema]
    for part in loc:
        fields = [field for model in here for name, field in _fields(model) if name == part]
        here = [model for field in fields for model in _models_in(field.annotation)] or here
    return here


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """A model's fields by the name they have in YAML."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
