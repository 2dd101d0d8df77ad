"""YAML with the line numbers kept, so that an error can say where."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

import yaml

from stopgap.remedy.errors import InvalidRemedy, Problem

MOST_LEVELS = 100
MOST_VALUES = 100_000  # each as often as aliases repeat it

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Number(int):
    """Remembers how it was written: YAML 1.1 reads 0755 as 493, 1:30 as 90 and 1_0 as 10."""

    written: str


class _Loader(_Base):  # type: ignore[misc]
    """A date stays text, so that an impossible one is the schema's to name, with its line. Levels are counted, since
    libyaml would follow them until the stack is full.
    """

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }
    _level = 0

    def descend_resolver(self, node: yaml.Node | None, index: Any) -> None:
        self._level += 1
        if node and self._level > MOST_LEVELS:
            raise yaml.composer.ComposerError(None, None, f"nested more than {MOST_LEVELS} deep", node.start_mark)

    def ascend_resolver(self) -> None:
        self._level -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError):  # a tag that its text does not fit
            what = f"'{node.value:.40}' is no {node.tag.replace('tag:yaml.org,2002:', '!!')}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None


def _number(loader: Any, node: yaml.ScalarNode) -> Number:
    number = Number(loader.construct_yaml_int(node))
    number.written = node.value
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _number)


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
    """The one document of a file. Raises InvalidRemedy for broken YAML, keys that are repeated or no words, more than
    one document, and what is too large to be written by hand. `page` tells what belongs into such a file.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise InvalidRemedy([Problem(file, 1, f"the file is empty; see {page}")])
        nodes = list(islice(_nodes(root), MOST_VALUES + 1))
        if len(nodes) > MOST_VALUES:  # also where an alias repeats what it is a part of
            raise InvalidRemedy([Problem(file, 1, f"more than {MOST_VALUES} values, with what its aliases repeat")])
        strange = [_strange(file, key) for key in _strange_keys(nodes)]
        if strange:
            raise InvalidRemedy(strange)
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


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node, as often as aliases repeat it; without an end where one repeats what it is a part of."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += chain.from_iterable(node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _strange_keys(nodes: Iterable[yaml.Node]) -> Iterator[yaml.Node]:
    """Keys that stand in their map already, or that are no scalars."""
    for node in {id(node): node for node in nodes if isinstance(node, yaml.MappingNode)}.values():
        known: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in known:
                yield key
            else:
                known.add(key.value)


def _strange(file: Path, key: yaml.Node) -> Problem:
    what = f"the key '{key.value}' stands here twice; YAML would drop the first: merge them"
    if isinstance(key, yaml.CollectionNode):
        kind = "map" if isinstance(key, yaml.MappingNode) else "list"
        what = f"a key has to be one word, and here it is a {kind}: a value that begins with {{{{ or [ wants quotes"
    return Problem(file, key.start_mark.line + 1, what)
