"""A pretend host for tests: a folder to change, and a journal beside it."""

import os
from pathlib import Path

from tests.unit.collection.deaths import CHANGING, changes, killed_at

from ansible_collections.stopgap.remediation.plugins.module_utils.journal import Journal, ReadOnlyJournal, in_force
from ansible_collections.stopgap.remediation.plugins.module_utils.mitigate import mitigate

__all__ = ["CHANGING", "Target", "changes", "facts", "killed_at", "remedy"]


class Target:
    def __init__(self, root: Path):
        self.root = root / "host"
        self.root.mkdir()
        self.base = root / "state"
        self.fact = root / "facts.d/stopgap.fact"

    def journal(self, kind=Journal, **options):
        return kind(str(self.base), str(self.fact), **options)

    def run(self, state, *remedies, check=False, **options):
        return mitigate(self.journal(ReadOnlyJournal if check else Journal), remedies, state, **options)

    def present(self, *remedies, **options):
        return self.run("present", *remedies, **options)[0]

    def absent(self, *remedies, **options):
        return self.run("absent", *remedies, **options)[0]

    def entries(self):
        return self.journal().entries()

    def in_force(self):
        return [entry for entry in self.entries() if in_force(entry)]

    def path(self, name):
        return str(self.root / name)

    def tree(self):
        """All there is to know of the host's files; folders' own times change with what is in them."""
        return {str(path.relative_to(self.root)): facts(path) for path in sorted(self.root.rglob("*"))}

    def file(self, name, content="ours\n", **params):
        return {"type": "file", "params": {"path": self.path(name), "content": content, **params}}

    def mode(self, name, mode="0600", **params):
        return {"type": "file_mode", "params": {"path": self.path(name), "mode": mode, **params}}

    def flag(self, name):
        """A command action whose effect is a file."""
        return {
            "type": "command",
            "params": {
                "check": {"run": ["find", self.path(name)], "rc": [0, 1], "stdout_has": name},
                "apply": {"run": ["touch", self.path(name)]},
                "revert": {"run": ["rm", self.path(name)]},
            },
        }


def facts(path):
    info = path.lstat()
    if path.is_symlink():
        return "link", os.readlink(path)
    if path.is_dir():
        return "folder", info.st_mode
    xattrs = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return path.read_bytes(), info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, xattrs


def remedy(name, *actions, then=(), mitigation="m", revision=1, status="valid", ttl=86400):
    return {
        "id": name,
        "revision": revision,
        "mitigations": [
            {
                "id": mitigation,
                "actions": list(actions),
                "then": list(then),
                "ttl_seconds": ttl,
                "status": status,
                "persists": "always",
            }
        ],
    }
