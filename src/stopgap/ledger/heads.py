"""The heads of all chains in a file, to be kept where who can write to the database cannot."""

import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from stopgap.ledger.chain import Head, HeadsDigest, Name
from stopgap.ledger.errors import BadEvent, BadExport
from stopgap.ledger.events import clean, parse_json

LINE_LIMIT = 4096  # bytes of one saved head


def save_heads(heads: Iterable[tuple[Name, Head]], file: BinaryIO) -> None:
    """A line each, and a last one that says how many there are: a cut copy proves less than it seems to."""
    digest = HeadsDigest()
    for name, head in heads:
        digest.add(name, head)
        file.write(json.dumps(name._asdict() | head._asdict(), ensure_ascii=False).encode() + b"\n")
    file.write(json.dumps({"heads": digest.count, "digest": digest.hexdigest()}).encode() + b"\n")


def read_heads(path: Path) -> dict[Name, frozenset[Head]]:
    """Raises BadExport where this is not a whole file of save_heads."""
    found: dict[Name, frozenset[Head]] = {}
    digest, last = HeadsDigest(), None
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LINE_LIMIT + 1), b""), start=1):
                last = _parse(line, f"{path}, line {number}")
                if "digest" not in last:
                    name, head = _saved(last, f"{path}, line {number}")
                    digest.add(name, head)
                    found[name] = found.get(name, frozenset()) | {head}
    except OSError as error:
        raise BadExport(f"the saved heads {path} cannot be read: {error.strerror}") from error
    if last != {"heads": digest.count, "digest": digest.hexdigest()}:
        raise BadExport(f"{path} does not hold all the heads that were saved: it was cut or changed")
    return found


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = parse_json(line, LINE_LIMIT)
    except BadEvent as error:
        raise BadExport(f"{where}: {clean(str(error), 200)}") from error
    if not isinstance(found, dict):
        raise BadExport(f"{where}: not a JSON object")
    return found


def _saved(raw: dict[str, Any], where: str) -> tuple[Name, Head]:
    texts = [raw.get(key) for key in (*Name._fields, "hash")]
    if set(raw) != {*Name._fields, *Head._fields} or not all(isinstance(one, str) for one in texts):
        raise BadExport(f"{where}: not a saved head")
    if type(raw["seq"]) is not int:
        raise BadExport(f"{where}: not a saved head")
    return Name(raw["writer"], raw["estate"], raw["host"]), Head(raw["seq"], raw["hash"])


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file of ours alone (0600), there under its name only when all of it was written.

    Raises OSError, also for what is no plain file: a device or a pipe would be replaced by one.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is there, and no plain file")
    # Not named by the process: in containers that share a folder each is number 1, and so was one that was killed.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    scratch = Path(name)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(path)
    finally:
        scratch.unlink(missing_ok=True)
