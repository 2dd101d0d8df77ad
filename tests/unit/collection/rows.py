"""One row and more for each action type: what to prepare on a pretend host, and the action to do there.

The tests of what holds for every type (a crash at every moment, idempotence, prediction, no secrets) go through this
table; a type that needs a real system has its rows in tests/e2e/test_fault_points_lab.py instead.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.collection.target import Target, remedy
from tests.unit.collection.zips import DEFLATED, MEMBER, STORED, archive

from ansible_collections.stopgap.remediation.plugins.module_utils import modprobe
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import archive_member, kernel_module, sysctl

OLD = 1_600_000_000_123_456_789
KEY = "net.ipv4.conf.all.accept_redirects"


@dataclass(frozen=True)
class Row:
    kind: str
    name: str
    prepare: Any  # (host, monkeypatch) makes what the action finds
    action: Any  # (host) -> the typed item
    beside: Any = lambda host: None  # (host) -> what it changes beside files

    def __str__(self):
        return f"{self.kind}-{self.name}"

    def seen(self, host):
        """All that the action can change."""
        return host.tree(), self.beside(host)

    def seen_but_times(self, host):
        """What we write has the time of writing."""
        tree, beside = self.seen(host)
        return {name: (*found[:4], *found[5:]) for name, found in tree.items()}, beside

    def remedy(self, host, name="CVE-1"):
        return remedy(name, self.action(host))


def write(host, name, content="theirs\n", mode=0o4640):
    path = Path(host.path(name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)
    os.setxattr(path, "trusted.theirs", b"kept")
    os.utime(path, ns=(OLD, OLD))


def nothing(host, monkeypatch):
    pass


def some_file(host, monkeypatch):
    write(host, "some.conf")


def some_options(host, monkeypatch):
    write(host, "some.ini", "# a file\none = 1\n[s]\nport = 1\nport = 2\n[t]\nport = 3")


def some_link(host, monkeypatch):
    write(host, "some.conf")
    os.symlink("some.conf", host.path("link.conf"))


def some_kernel(host, monkeypatch):
    """A /proc/sys of plain files, and a folder for sysctl --system."""
    monkeypatch.setattr(sysctl, "PROC", str(host.root.parent / "proc"))
    monkeypatch.setattr(sysctl, "FOLDERS", (host.path("etc"),))
    monkeypatch.setattr(sysctl, "LAST", host.path("sysctl.conf"))
    live_value(host).parent.mkdir(parents=True)
    live_value(host).write_text("1\n")


def live_value(host):
    return host.root.parent / "proc" / KEY.replace(".", "/")


def some_archives(host, monkeypatch):
    """And a /proc of one process, ours: a busy machine's many are read anew after each write."""
    (host.root.parent / "processes").mkdir()
    (host.root.parent / "processes" / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")
    monkeypatch.setattr(archive_member, "PROC", str(host.root.parent / "processes"))
    jar = archive((MEMBER, b"class", DEFLATED), ("other", b"other", DEFLATED))
    for name, data in (("app/a.jar", jar), ("app/shop.war", archive(("lib/log4j.jar", jar, STORED)))):
        write(host, name, data, 0o640)


def some_module(host, monkeypatch):
    """A list of loaded modules, and the two commands that change it."""
    (host.root / "modprobe.d").mkdir()
    loaded_modules(host).write_text("other 1 0 -\ncramfs 1 0 -\n")
    monkeypatch.setattr(modprobe, "LOADED", str(loaded_modules(host)))
    monkeypatch.setattr(modprobe, "is_built_in", lambda name: False)
    monkeypatch.setattr(modprobe, "on_disk", lambda name: True)
    monkeypatch.setattr(modprobe, "configuration", lambda: "install cramfs /bin/false\n")
    monkeypatch.setattr(kernel_module, "FOLDER", host.path("modprobe.d"))
    monkeypatch.setattr(kernel_module, "must", lambda argv: load(loaded_modules(host), *argv))


def loaded_modules(host):
    return host.root.parent / "modules"


def load(path, verb, name):
    lines = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith(name + " ")]
    path.with_suffix(".new").write_text("".join(lines + [name + " 1 0 -\n"] * (verb == "modprobe")))
    os.replace(path.with_suffix(".new"), path)


def item(kind, **params):
    return {"type": kind, "params": params}


def tasks(host):
    return item("tasks", apply="apply.yml", revert="revert.yml", vars={"port": 1})


def line(host, **params):
    return item("line", path=host.path("some.ini"), **params)


def option(host, **params):
    return item("ini_option", path=host.path("some.ini"), **params)


ROWS = [
    Row("line", "in-place", some_options, lambda host: line(host, match="^port", line="port = 7")),
    Row("line", "new", some_options, lambda host: line(host, line="more")),
    Row("line", "absent", some_options, lambda host: line(host, match="^port", absent=True)),
    Row("ini_option", "in-place", some_options, lambda host: option(host, section="s", option="port", value="7")),
    Row("ini_option", "in-a-new-section", some_options, lambda host: option(host, section="u", option="a", value="b")),
    Row("ini_option", "absent", some_options, lambda host: option(host, section="t", option="port", absent=True)),
    Row(
        "archive_member",
        "nested",
        some_archives,
        lambda host: item("archive_member", paths=[host.path("app")], member=MEMBER),
    ),
    Row(
        "kernel_module",
        "unloaded",
        some_module,
        lambda host: item("kernel_module", name="cramfs"),
        lambda host: sorted(loaded_modules(host).read_text().splitlines()),
    ),
    Row("file", "over-another", some_file, lambda host: host.file("some.conf")),
    Row("file", "in-new-folders", nothing, lambda host: host.file("a/b/new.conf")),
    Row("file", "over-a-link", some_link, lambda host: host.file("link.conf")),
    Row("file", "as-it-was-before", some_file, lambda host: host.file("some.conf", "theirs\n", mode="4640")),
    Row("file_mode", "narrower", some_file, lambda host: host.mode("some.conf", "0600")),
    Row(
        "file_mode", "other-owner", some_file, lambda host: host.mode("some.conf", "0750", owner="12345", group="54321")
    ),
    Row(
        "sysctl",
        "live-and-kept",
        some_kernel,
        lambda host: item("sysctl", name=KEY, value="0"),
        lambda host: live_value(host).read_text(),
    ),
    Row("command", "flag", nothing, lambda host: host.flag("flag")),
    Row("tasks", "on-the-controller", nothing, tasks),
]


def drive(host: Target, state, *remedies, **options):
    """As the role does: what the host asks of the controller is run there, and the module is called again."""
    results = host.run(state, *remedies, **options)[0]
    pending = [task for result in results for task in result["pending_tasks"]]
    for task in pending:
        mark = Path(host.path("done-by-tasks"))
        mark.touch() if task["phase"] == "apply" else mark.unlink(missing_ok=True)
    done = [(task["entry"], task["action"]) for task in pending]
    return host.run(state, *remedies, done=done, **options)[0] if pending else results
