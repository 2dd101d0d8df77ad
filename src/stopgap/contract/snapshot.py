"""What a host is like before and after, and how the two differ."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stopgap.contract.needs import Watched
from stopgap.lab import Lab

SCRIPT = (Path(__file__).parent / "on_host/snapshot.py").read_text(encoding="utf-8")
MOST = 6

Snapshot = dict[str, dict[str, Any]]


def take(lab: Lab, host: str, watched: Watched, *, exact: bool = False) -> Snapshot:
    """`exact`: down to inodes and change times, so that even a file written as it was is seen."""
    asked = json.dumps({**watched.to_dict(), "exact": exact})
    taken: Snapshot = json.loads(lab.exec(host, ["python3", "-c", SCRIPT], input=asked).stdout)
    return taken


def differences(before: Snapshot, after: Snapshot, *, times: bool = True) -> list[str]:
    """Each in words: what it is and what changed about it. Without `times`, a file may have been written anew."""
    if not times:
        before, after = _timeless(before), _timeless(after)
    return [text for kind in sorted(set(before) | set(after)) for text in _of_kind(kind, before, after)]


def _timeless(taken: Snapshot) -> Snapshot:
    files = taken.get("file", {})
    return {**taken, "file": {path: {**told, "mtime": None} for path, told in files.items()}}


def noise(before: Snapshot, after: Snapshot) -> list[str]:
    """Files that differ although nothing was done to them; for one that came or went in /var/lib, its whole folder."""
    old, new = before.get("file", {}), after.get("file", {})
    found = {path for path in old if path in new and old[path] != new[path]}
    moved = {path for path in set(old) ^ set(new) if path.startswith("/var/lib/")}
    return sorted(found | {path.rpartition("/")[0] for path in moved if path.count("/") > 3})


def in_words(found: Iterable[str]) -> str:
    texts = list(found)
    more = f" and {len(texts) - MOST} more" if len(texts) > MOST else ""
    return "; ".join(texts[:MOST]) + more


def _of_kind(kind: str, before: Snapshot, after: Snapshot) -> Iterator[str]:
    old, new = before.get(kind, {}), after.get(kind, {})
    for name in sorted(set(old) | set(new)):
        if name not in new:
            yield f"{kind} {name} is gone"
        elif name not in old:
            yield f"{kind} {name} is new"
        elif old[name] != new[name]:
            yield f"{kind} {name}: {_changed(old[name], new[name])}"


def _changed(old: Any, new: Any) -> str:
    if not isinstance(old, dict):
        return f"{old} became {new}"
    keys = [key for key in sorted(set(old) | set(new)) if old.get(key) != new.get(key)]
    return ", ".join(key if key == "content" else f"{key} {old.get(key)} became {new.get(key)}" for key in keys)
