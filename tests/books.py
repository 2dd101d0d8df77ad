"""Runs the commands a user runs, with books of the test's own, and reads what the hosts and the ledger say."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
TOP = Path(__file__).parents[1]


@dataclass
class Books:
    """One lab and one state folder: the pair that a story plays in."""

    lab: object
    state: Path

    @property
    def environment(self):
        return os.environ | {
            "STOPGAP_STATE_DIR": str(self.state),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def command(self, *words):
        return subprocess.run(words, env=self.environment, cwd=TOP, capture_output=True, text=True, check=False)

    def stopgap(self, *words):
        """A verb over the lab's inventory."""
        return self.command("stopgap", *words, "-i", str(self.lab.inventory))

    def playbook(self, verb, *words):
        """The same verb as a user of plain ansible-playbook runs it."""
        return self.command("ansible-playbook", f"playbooks/{verb}.yml", "-i", str(self.lab.inventory), *words)

    def start_playbook(self, verb, *words):
        """Start it in a session of its own, so that a kill takes the controller whole."""
        command = ["ansible-playbook", f"playbooks/{verb}.yml", "-i", str(self.lab.inventory), *words]
        return subprocess.Popen(
            command, env=self.environment, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def read(self, *words):
        done = self.command("stopgap", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def states(self):
        return {(case["host"], case["remedy"]): case["state"] for case in self.read("status")["cases"]}

    def owed(self):
        """(host, remedy) of every mitigation that the ledger has in force, debt or orphan."""
        books = self.read("debt")
        return {(row["host"], row["remedy"]) for kind in ("debt", "orphans") for row in books[kind]}

    def held(self, host):
        """Remedies whose mitigation the host's own journal has in force: the truth to compare the ledger with."""
        script = (
            "import glob,json;print(json.dumps([(e['remedy'],e['state']) for e in "
            "map(json.load,map(open,glob.glob('/var/lib/stopgap/journal/*/entry.json')))]))"
        )
        done = self.lab.exec(host, ["python3", "-c", script])
        return {remedy for remedy, state in json.loads(done.stdout) if state not in ("lifted", "undone")}
