"""The fleet that is measured: lab hosts, inventories of any number of names, and runs with their time and memory."""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from tests import entry_points
from tests.books import TOP, Books

from stopgap.lab import HostSpec, Lab

FORKS = 20  # for everybody who is measured
PAUSE = 0.2  # seconds between two looks at the memory
# sshd drops connections at random once ten have not logged in yet: several names on one host may come at once
CROWD = "echo MaxStartups 200 > /etc/ssh/sshd_config.d/crowd.conf && systemctl reload ssh"


@dataclass
class Run:
    """In MB, where asked for: `memory` is the peak of the command's own processes, `warm` that of ssh's connections.

    `apparent` is that of the processes' resident sizes, which counts a page once for each process that shares it.
    """

    seconds: float
    said: str
    memory: float = 0.0
    warm: float = 0.0
    apparent: float = 0.0


@dataclass
class Fleet:
    lab: Lab
    folder: Path
    # short, since the path of a socket may have 100 characters; nobody else's connections are in it
    sockets: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sg")))

    @property
    def books(self):
        return Books(self.lab, self.folder / "state")

    @property
    def environment(self):
        """One configuration for us and for the peers: pipelining and warm connections are those of ansible.cfg."""
        return entry_points.environment(self.folder / "installed") | {
            "STOPGAP_STATE_DIR": str(self.folder / "state"),
            "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.sockets),
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_NOCOLOR": "1",
        }

    def inventory(self, count):
        """A file with `count` names. Of fewer hosts several names lead to one, each by a connection of its own."""
        file = self.folder / f"hosts{count}.yml"
        if not file.exists():
            written = yaml.safe_load(self.lab.inventory.read_text())["all"]
            hosts = list(written["hosts"].values())
            names = {f"h{number:04}": dict(hosts[number % len(hosts)]) for number in range(count)}
            for name, variables in names.items():
                variables["ansible_control_path"] = str(self.sockets / name)
            file.write_text(yaml.safe_dump({"all": {"vars": written["vars"], "hosts": names}}))
        return str(file)

    def run(self, *words, stdin=None, weigh=False, codes=(0,), **more):
        """Ends with one of `codes`, or the test does."""
        with open(stdin or os.devnull) as source, tempfile.TemporaryFile("w+") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                words,
                env=self.environment | more,
                cwd=self.folder,
                stdin=source,
                stdout=output,
                stderr=output,
                text=True,
            )
            run = Run(0.0, "")
            while weigh and process.poll() is None:
                shared_once, resident = tree_memory(process.pid)
                run.memory, run.apparent = max(run.memory, shared_once), max(run.apparent, resident)
                run.warm = max(run.warm, self.warm_memory())
                time.sleep(PAUSE)
            code = process.wait()
            run.seconds = time.monotonic() - started
            output.seek(0)
            run.said = output.read()
        assert code in codes, f"{words[:4]}: exit {code}: {run.said[-3000:]}"
        return run

    def cool(self):
        """No connection is open any more: each run that is compared with another has to make its own."""
        for socket in list(self.sockets.iterdir()):
            subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "x"], capture_output=True, check=False)
            socket.unlink(missing_ok=True)

    def warm_memory(self):
        mine = f"ssh: {self.sockets}"
        return sum(memory(pid) for pid in processes() if command_line(pid).startswith(mine))

    def remove(self, keep=False):
        self.cool()
        shutil.rmtree(self.sockets, ignore_errors=True)
        if not keep:
            self.lab.down()


def build(name, hosts, folder):
    """Web servers of one kind, each a systemd of its own."""
    from stopgap.demo.story import prepare

    fleet = Fleet(Lab(name), folder)
    if len(fleet.lab.hosts) == hosts:  # of a run before
        return fleet
    try:
        fleet.lab.up([HostSpec(f"n{number}", "bookworm", ("nginx",)) for number in range(1, hosts + 1)])
        prepare(fleet.lab, {})
        fleet.run("ansible", "all", "-b", "-m", "shell", "-a", CROWD, "-i", str(fleet.lab.inventory))
    except BaseException:
        fleet.remove()
        raise
    return fleet


def processes():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def tree_memory(root):
    """MB of a process and all below it: shared pages counted once, and counted in each process."""
    parents = {pid: parent(pid) for pid in processes()}
    found, wave = set(), {root}
    while wave:
        found |= wave
        wave = {pid for pid, above in parents.items() if above in wave} - found
    return sum(memory(pid) for pid in found), sum(memory(pid, "Rss:") for pid in found)


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def memory(pid, kind="Pss:"):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
