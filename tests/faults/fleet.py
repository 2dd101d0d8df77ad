"""The hosts of the schedules, looked into from this machine through /proc: a cut link hides nothing from us."""

import json
import shutil
import time
from pathlib import Path

from stopgap.lab import Lab
from stopgap.lab.engine import detect_engine
from tests.faults import disks

JOURNAL = "var/lib/stopgap"
OURS = ("etc/ansible/facts.d", "srv/stopgap-one", "srv/stopgap-two", "srv/stopgap-three")
THEIRS = {"etc/issue.net": "as it was\n"}
OVER = ("lifted", "undone")
JOURNAL_DISK = "256k"
FAKETIME = "libfaketime.so.1"
CLOCK = Path(__file__).parent / "clock"
CLOCK_THERE = "/usr/local/lib/other-clock"
SKEWED = "/usr/local/bin/python3-skewed"  # the host's Python on another clock
IDLE_SECONDS = 60


class Fleet:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.names = [host.name for host in lab.hosts]
        self._containers = {host.name: host.container for host in lab.hosts}
        self._pids: dict[str, int] = {}
        self._small: set[str] = set()

    def root(self, host: str) -> Path:
        """The host's file system, its own mounts included."""
        if host not in self._pids:
            self._pids[host] = detect_engine().pid(self._containers[host])
        return Path(f"/proc/{self._pids[host]}/root")

    def journal(self, host: str) -> Path:
        return self.root(host) / JOURNAL

    def entries(self, host: str) -> list[dict]:
        found = []
        for path in sorted(self.journal(host).glob("journal/*/entry.json")):
            found.append(json.loads(path.read_text()))
        return found

    def held(self) -> set[tuple[str, str, str]]:
        """(host, remedy, entry) of all mitigations in force: the truth to compare a ledger with."""
        return {
            (host, entry["remedy"], entry["entry"])
            for host in self.names
            for entry in self.entries(host)
            if entry["state"] not in OVER
        }

    def wait_idle(self) -> None:
        """A killed controller's module may still be at work: wait for every Python of the hosts to end."""
        deadline = time.monotonic() + IDLE_SECONDS
        while busy := [host for host in self.names if self._working(host)]:
            assert time.monotonic() < deadline, f"{busy}: a module still runs"
            time.sleep(0.05)

    def _working(self, host: str) -> bool:
        inside = self.root(host) / "proc"
        for path in inside.glob("[0-9]*/comm"):
            try:
                if path.read_text().startswith("python3"):
                    return True
            except (FileNotFoundError, ProcessLookupError):
                continue
        return False

    # What is done to them

    def reset(self) -> None:
        """As new: no journal, nothing of ours, and what was theirs."""
        for host in self.names:
            root = self.root(host)
            if host in self._small:
                self.lab.exec(host, ["umount", "--lazy", f"/{JOURNAL}"])
            for name in (JOURNAL, *OURS):
                path = root / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            for name, text in THEIRS.items():
                (root / name).write_text(text)
        self._small.clear()

    def give_small_journal(self, host: str) -> None:
        """The journal on a file system of its own, which a fault can fill. A restart of the host would lose it."""
        self.lab.exec(host, ["install", "-d", "-m", "700", f"/{JOURNAL}"])
        options = f"size={JOURNAL_DISK},mode=700"
        self.lab.exec(host, ["mount", "-t", "tmpfs", "-o", options, "tmpfs", f"/{JOURNAL}"])
        self._small.add(host)

    def give_other_clock(self) -> None:
        """A Python that believes in another time, for a task that is told to use it."""
        ours = next(Path("/usr/lib").glob(f"*/faketime/{FAKETIME}"), None)
        assert ours, "the fault tests need faketime: run tests/faults/setup.sh (apt, as root)"
        for host in self.names:
            for path in (ours, CLOCK / "sitecustomize.py"):
                self.lab.write_file(host, f"{CLOCK_THERE}/{path.name}", path.read_bytes())
            self.set_other_clock(host, "+400d")
            there = float(self.lab.exec(host, [SKEWED, "-c", "import time; print(time.time())"]).stdout)
            assert there > time.time() + 86400, "this machine's faketime does nothing on a lab host"

    def set_other_clock(self, host: str, offset: str) -> None:
        script = (
            f"#!/bin/sh\nLD_PRELOAD={CLOCK_THERE}/{FAKETIME} FAKETIME={offset} DONT_FAKE_MONOTONIC=1 "
            f'PYTHONPATH={CLOCK_THERE} exec /usr/bin/python3 "$@"\n'
        )
        self.lab.write_file(host, SKEWED, script, mode=0o755)

    def fill(self, host: str, pages_left: int) -> None:
        disks.fill(self.journal(host), pages_left)

    def make_room(self, host: str) -> None:
        disks.make_room(self.journal(host))

    def cut_power(self, host: str) -> None:
        self.lab.kill(host)
        self._pids.pop(host, None)

    def start(self, host: str) -> None:
        self.lab.start(host)
        self._pids.pop(host, None)
