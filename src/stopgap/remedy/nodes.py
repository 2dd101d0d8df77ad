"""YAML with the line numbers kept, so that an error can say where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from stopgap.remedy.errors import InvalidRemedy, Problem

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """A date stays text, so that an impossible one is the schema's to name, with its line."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and its nodes for finding a line again."""

    file: Path
    data: Any
    root: yaml.Node

    def line_of(self, loc: Sequence[str | int]) -> int:
        """The line of the last part of `loc` that the file has; parts it lacks (pydantic's tags) are passed over."""
        node, line = self.root, self.root.start_mark.line
        for part in loc:
            found = _child(node, part)
            if found is not None:
                line, node = found[0].start_mark.line, found[1]
        return line + 1


def parse(file: Path, text: str, page: str = "docs/how-to/write-a-remedy.md") -> Document:
    """The one document of a file. Raises InvalidRemedy for broken YAML, repeated keys and more than one document.

    `page` says what belongs into an empty one.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise InvalidRemedy([Problem(file, 1, f"the file is empty; see {page}")])
        repeated = [_repeated(file, key) for key in _repeated_keys(root, set())]
        if repeated:
            raise InvalidRemedy(repeated)
        return Document(file, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(filter(None, (error.context, error.problem)))
        raise InvalidRemedy([Problem(file, mark.line + 1 if mark else 1, f"broken YAML: {message}")]) from None
    except (yaml.YAMLError, ValueError) as error:  # a forbidden character
        if isinstance(error, InvalidRemedy):
            raise
        raise InvalidRemedy([Problem(file, 1, f"broken YAML: {error}")]) from None
    finally:
        loader.dispose()


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _repeated_keys(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):  # an anchor's second use, or a scalar
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                yield key
            keys.add(str(key.value))
            yield from _repeated_keys(value, seen)
    else:
        for value in node.value:
            yield from _repeated_keys(value, seen)


def _repeated(file: Path, key: yaml.Node) -> Problem:
    line = key.start_mark.line + 1
    return Problem(file, line, f"the key '{key.value}' stands here twice; YAML would drop the first: merge them")
