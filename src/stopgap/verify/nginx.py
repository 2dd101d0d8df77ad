"""What `nginx -T` prints, as the directives that are in force: where each is set, and what servers inherit."""

import fnmatch
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from stopgap.verify.errors import Surprise

FILE = re.compile(r"^# configuration file (/.+):$", re.MULTILINE)
TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
      | (?P<mark>[{};])
      | "(?P<double>(?:\\.|[^"\\]++)*+)"
      | '(?P<single>(?:\\.|[^'\\]++)*+)'
      | (?P<word>(?:\\.|\$\{|[^\s{};\\"'])(?:\\.|\$\{?|[^\s{;\\$]++)*+)""",
    re.VERBOSE | re.DOTALL,
)
LISTEN = re.compile(r"(?:(.+):)?(\d+)(?:-(\d+))?")
PORT = "80"  # of a server that names none, or only an address: so root's nginx has it
MOST_READ = 16 * 1024 * 1024  # characters, each file as often as it is included
NAME_LIMIT = 100
WORD_LIMIT = 4096  # of nginx's own
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
        return " ".join(block.words)[:NAME_LIMIT]
    names = [word for words in block.directives if words[0] == "server_name" for word in words[1:]]
    listens = [words[1] for words in block.directives if words[0] == "listen" and words[1:]]
    return " ".join(["server", *names[:1], *(f"({listen})" for listen in listens[:1])])[:NAME_LIMIT]


def _is_meant(server: Block | None, scope: dict[str, str]) -> bool:
    if not scope:
        return True
    if server is None:
        return False
    names = {word for words in server.directives if words[0] == "server_name" for word in words[1:]}
    listens = [words[1] for words in server.directives if words[0] == "listen" and words[1:]] or [PORT]
    return ("server" not in scope or scope["server"] in names) and (
        "listen" not in scope or any(_hears(listen, scope["listen"]) for listen in listens)
    )


def _hears(listen: str, wanted: str) -> bool:
    """By its address or its port, also one of a range."""
    if listen.startswith("unix:"):
        return wanted == listen
    match = LISTEN.fullmatch(listen)
    if match is None:
        return wanted in (listen, PORT)
    address, first, last = match.groups()
    return wanted in (listen, address) or (wanted.isdecimal() and int(first) <= int(wanted) <= int(last or first))


def _configuration(text: str) -> Block:
    """All files as one, each in the place that includes it."""
    parts = FILE.split(text)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files or len(files) != len(parts) // 2:
        raise Surprise("nginx -T names no file, or one twice")
    dump = _Dump(files, parts[1])
    main = Block([], [], [])
    _fill(main, _tokens(files[parts[1]]), dump, nested=False)
    if lost := sorted(set(files) - dump.reached):
        raise Surprise(f"nothing includes {lost[0]}, and nginx has read it")
    return main


class _Dump:
    """The files that nginx has read, by path. They may include each other more often than anybody can read them."""

    def __init__(self, files: dict[str, str], top: str):
        self.reached = {top}
        self._files = files
        self._plain = {path: str(PurePosixPath(path)) for path in files}  # as an include may not spell it: a//./b
        self._folder = PurePosixPath(top).parent
        self._left = MOST_READ

    def included(self, pattern: str) -> list[str]:
        """The texts; a pattern costs a look at every path."""
        whole = str(self._folder / pattern)
        self._left -= len(self._files)
        if any(sign in whole for sign in "*?["):
            matching = set(fnmatch.filter(self._plain.values(), whole))
            matching = {path for path in matching if path.count("/") == whole.count("/")}
        else:
            matching = {whole}
        found = sorted(path for path, plain in self._plain.items() if plain in matching)
        self.reached.update(found)
        self._left -= sum(len(self._files[path]) for path in found)
        if self._left < 0:
            raise Surprise(f"nginx -T: more than {MOST_READ // 2**20} MiB, with all that is included")
        return [self._files[path] for path in found]


def _fill(block: Block, tokens: Iterator[tuple[str, bool]], dump: _Dump, nested: bool) -> None:
    """Reads up to the brace that ends the block, or up to the end of a file."""
    words: list[str] = []
    for part, is_mark in tokens:
        if not is_mark:
            words.append(part)
        elif part == ";" and words:
            if words[0] == "include" and len(words) == 2:
                for text in dump.included(words[1]):
                    _fill(block, _tokens(text), dump, nested=False)
            else:
                block.directives.append(words)
            words = []
        elif part == "{" and words:
            inner = Block(words, [], [])
            if words[0].endswith(CODE):
                raise Surprise(f"{words[0]} holds code, which cannot be told from configuration here")
            _fill(inner, tokens, dump, nested=True)
            block.blocks.append(inner)
            words = []
        elif part == "}" and nested and not words:
            return
        else:
            raise Surprise(f"nginx -T: {part!r} where none can be")
    if nested or words:
        raise Surprise("nginx -T: a file ends amid a block")


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """(word or mark, is it a mark)"""
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Surprise(f"nginx -T: cannot be read from {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup != "blank" and len(match[0]) > WORD_LIMIT:
            raise Surprise(f"nginx -T: nginx reads no word like {text[at - len(match[0]) :][:20]!r}…, it is too long")
        if match.lastgroup == "mark":
            yield match[0], True
        elif match.lastgroup != "blank":
            yield re.sub(r"\\(.)", r"\1", match[match.lastgroup or 0]) if match.lastgroup != "word" else match[0], False
