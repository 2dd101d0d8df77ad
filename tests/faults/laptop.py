"""One operator's machine: a state folder on a small file system of its own, and the commands run from it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.books import BIN, TOP
from tests.faults import disks

REMEDIES = Path(__file__).parent / "remedies"
STATE_DISK = "24m"
# A lost link is noticed within seconds, so that a schedule does not take minutes; ansible.cfg has the rest.
SSH = "-C -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=2"
REASON = "a fault schedule"


class Laptop:
    def __init__(self, name: str, folder: Path, inventory: Path, url: str = "") -> None:
        self.name = name
        self.folder = folder / name
        self.state = self.folder / "state"
        self.output = self.folder / "output"
        self.inventory = inventory
        self.url = url
        self.output.mkdir(parents=True)
        disks.mount(self.state, STATE_DISK)
        self._runs = 0

    def close(self) -> None:
        disks.unmount(self.state)

    @property
    def ledger_url(self) -> str:
        return self.url or f"sqlite:///{self.state}/ledger.sqlite"

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "STOPGAP_STATE_DIR": str(self.state),
            "STOPGAP_LEDGER_URL": self.ledger_url,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(TOP / "src"),
            "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_ARGS": SSH,
            "ANSIBLE_TIMEOUT": "3",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
        }
        return os.environ | given

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    def spooled_lines(self) -> int:
        return sum(_lines(path) for path in self.spool.glob("*.jsonl"))

    def start(
        self, words: Sequence[str], before: Sequence[str] = (), more: dict[str, str] | None = None
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """Returns the process, in a session of its own, and the file it prints to (a stopped reader stops nobody)."""
        self._runs += 1
        printed = self.output / f"{self._runs}"
        with open(printed, "wb") as file:
            process = subprocess.Popen(
                [*before, *words],
                env=self.environment | (more or {}),
                cwd=TOP,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, printed

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self.environment, cwd=TOP, capture_output=True, text=True, check=False, timeout=120
        )

    def words(self, verb: str, remedies: Sequence[str], by: str, variables: Sequence[str] = ()) -> list[str]:
        """A verb of the tool, as typed by a user of `stopgap` or of ansible-playbook."""
        if verb == "ingest":
            return ["stopgap", "ledger", "ingest"]
        more = [word for variable in variables for word in ("-e", variable)]
        if by == "stopgap":
            options = ["--remedy-path", str(REMEDIES), "-i", str(self.inventory), *more]
            options += ["--force", "--reason", REASON] if verb == "lift" else []
            return ["stopgap", verb, *([] if verb == "sync" else remedies), *options]
        extra = [f"stopgap_remedies={','.join(remedies)}", f"stopgap_remedy_path={REMEDIES}"]
        extra += ["stopgap_force=true", f"stopgap_reason='{REASON}'"] if verb == "lift" else []
        more += [word for variable in extra for word in ("-e", variable)]
        return ["ansible-playbook", f"playbooks/{verb}.yml", "-i", str(self.inventory), *more]


def _lines(path: Path) -> int:
    """None of a file that was delivered or renamed a moment ago."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
