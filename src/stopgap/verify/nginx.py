"""What `nginx -T` prints, as the directives that are in force: where each is set, and what servers inherit."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from stopgap.verify.errors import Surprise

FILE = re.compile(r"^# configuration file (/.+):$", re.MULTILINE)
TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
      | (?P<mark>[{};])
      | "(?P<double>(?:\\.|[^"\\])*)"
      | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<word>(?:\\.|\$\{|[^\s{};\\"'])(?:\\.|\$\{|[^\s{;\\])*)""",
    re.VERBOSE | re.DOTALL,
)
LISTEN = re.compile(r"(?:(.+):)?(\d+)(?:-(\d+))?")
PORT = "80"  # of a server that names none, or only an address: so root's nginx has it
CODE = "_by_lua_block"  # what it holds is no configuration


class Block(NamedTuple):
    """`words` are the directive's name and arguments."""

    words: list[str]
    directives: list[list[str]]
    blocks: list["Block"]


def settings(text: str, option: str, scope: dict[str, str]) -> dict[str, list[str] | None]:
    """{place: its values}: each server's own or inherited ones, and those set within it. None: nginx's default counts.

    `scope` narrows it to servers by `server` (a name of server_name) and `listen` (an address or a port).
    """
    found = list(_effective(_configuration(text), option, None, "", None))
    wanted = [one for one in found if _is_meant(one.server, scope)]
    if scope and not any(one.server for one in wanted):
        raise Surprise(f"no server has {', '.join(f'{key} {value}' for key, value in scope.items())}")
    told = [one for one in wanted if one.values is not None]
    if told and not any(one.server for one in told):
        wanted = told  # what only the events or the main block has is nothing that a server lacks
    places: dict[str, list[str] | None] = {}
    for one in wanted:
        name = one.place if one.place not in places else f"{one.place} ({len(places) + 1})"
        places[name] = one.values
    return places or {"": None}


class _Found(NamedTuple):
    place: str
    values: list[str] | None
    server: Block | None


def _effective(
    block: Block, option: str, inherited: list[str] | None, place: str, server: Block | None
) -> Iterator[_Found]:
    own = [" ".join(words[1:]) for words in block.directives if words[0] == option]
    values = own or inherited
    if block.words[:1] == ["server"]:
        server = block
    if server is block or (own and not _has_server(block)):
        yield _Found(place, values, server)
    for inner in block.blocks:
        yield from _effective(inner, option, values, f"{place} {_named(inner)}".strip(), server)


def _has_server(block: Block) -> bool:
    return any(inner.words[0] == "server" or _has_server(inner) for inner in block.blocks)


def _named(block: Block) -> str:
    if block.words != ["server"]:
        return " ".join(block.words)
    names = [word for words in block.directives if words[0] == "server_name" for word in words[1:]]
    listens = [words[1] for words in block.directives if words[0] == "listen" and words[1:]]
    return " ".join(["server", *names[:1], *(f"({listen})" for listen in listens[:1])])


def _is_meant(server: Block | None, scope: dict[str, str]) -> bool:
    if not scope:
        return True
    if server is None:
        return False
    names = {word for words in server.directives if words[0] == "server_name" for word in words[1:]}
    listens = [words[1] for words in server.directives if words[0] == "listen" and words[1:]] or [PORT]
    return ("server" not in scope or scope["server"] in names) and (
        "listen" not in scope or any(scope["listen"] in _heard_at(listen) for listen in listens)
    )


def _heard_at(listen: str) -> set[str]:
    """Its address and its port, too, each of a range."""
    if listen.startswith("unix:"):
        return {listen}
    match = LISTEN.fullmatch(listen)
    if match is None:
        return {listen, PORT}
    address, first, last = match.groups()
    ports = map(str, range(int(first), int(last or first) + 1))
    return {listen, *ports, *([address] if address else [])}


def _configuration(text: str) -> Block:
    """All files as one, each in the place that includes it."""
    parts = FILE.split(text)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files or len(files) != len(parts) // 2:
        raise Surprise("nginx -T names no file, or one twice")
    top = parts[1]
    reached = {top}
    main = Block([], [], [])
    _fill(main, _tokens(files[top]), files, top, reached, nested=False)
    if lost := sorted(set(files) - reached):
        raise Surprise(f"nothing includes {lost[0]}, and nginx has read it")
    return main


def _fill(
    block: Block, tokens: Iterator[tuple[str, bool]], files: dict[str, str], top: str, reached: set[str], nested: bool
) -> None:
    """Reads up to the brace that ends the block, or up to the end of a file."""
    words: list[str] = []
    for part, is_mark in tokens:
        if not is_mark:
            words.append(part)
        elif part == ";" and words:
            if words[0] == "include" and len(words) == 2:
                for path in _included(words[1], files, top):
                    reached.add(path)
                    _fill(block, _tokens(files[path]), files, top, reached, nested=False)
            else:
                block.directives.append(words)
            words = []
        elif part == "{" and words:
            inner = Block(words, [], [])
            if words[0].endswith(CODE):
                raise Surprise(f"{words[0]} holds code, which cannot be told from configuration here")
            _fill(inner, tokens, files, top, reached, nested=True)
            block.blocks.append(inner)
            words = []
        elif part == "}" and nested and not words:
            return
        else:
            raise Surprise(f"nginx -T: {part!r} where none can be")
    if nested or words:
        raise Surprise("nginx -T: a file ends amid a block")


def _included(pattern: str, files: dict[str, str], top: str) -> list[str]:
    whole = str(PurePosixPath(top).parent / pattern)
    return sorted(path for path in files if path == whole or PurePosixPath(path).match(whole))


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """(word or mark, is it a mark)"""
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Surprise(f"nginx -T: cannot be read from {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup == "mark":
            yield match[0], True
        elif match.lastgroup != "blank":
            yield re.sub(r"\\(.)", r"\1", match[match.lastgroup or 0]) if match.lastgroup != "word" else match[0], False
