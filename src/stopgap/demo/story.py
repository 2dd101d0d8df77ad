"""The story, step by step, each step the command a user would type. Every figure it shows comes from the run itself."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stopgap.lab import HostSpec, Lab

HOSTS = [
    HostSpec("web1", "bookworm", ("nginx",)),
    HostSpec("cache1", "bullseye", ("redis-server",)),
    HostSpec("desk1", "bullseye", ("cups-browsed",)),
]
STANDINS = {"desk1": ["pwnkit"]}
NGINX, OPENSSL, CUPS, REDIS, PKEXEC = (
    "CVE-2023-44487",
    "CVE-2026-75806",
    "CVE-2024-47176",
    "CVE-2025-49844",
    "CVE-2021-4034",
)
WEB, REST = (NGINX, OPENSSL), (REDIS, CUPS, PKEXEC)
STORY_CASES = {("web1", NGINX), ("web1", OPENSSL), ("cache1", REDIS), ("desk1", CUPS), ("desk1", PKEXEC)}
PREPARE = Path(__file__).with_name("prepare.yml")


class StoryError(RuntimeError):
    """A step ended otherwise than the story says; the text names the step."""


@dataclass
class Narrator:
    """Runs commands where the reader can see them, against a ledger of the demo's own."""

    lab: Lab
    state: Path
    say: Callable[[str], None] = print
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = os.environ | {"STOPGAP_STATE_DIR": str(self.state)}
        self.environment.pop("STOPGAP_LEDGER_URL", None)

    def chapter(self, title: str, text: str) -> None:
        self.say(f"\n\033[1m{title}\033[0m\n{text}" if sys.stdout.isatty() else f"\n== {title}\n{text}")

    def stopgap(self, *words: str, ends: int = 0) -> None:
        """Type one command. *ends* is the exit code the story expects; another one stops the story."""
        more = ["-i", str(self.lab.inventory)] if words[0] in PLAYS else []
        self.say(f"\n$ stopgap {shlex.join(words)}{' -i LAB' if more else ''}")
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-P", "-m", "stopgap", *words, *more], env=self.environment, check=False)
        if done.returncode != ends:
            raise StoryError(f"'stopgap {shlex.join(words)}' ended with exit code {done.returncode}, not {ends}")

    def read(self, *words: str) -> Any:
        """The JSON answer of a reading command."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "stopgap", *words, "--json"],
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(done.stdout)


PLAYS = {"assess", "mitigate", "fix", "remediate", "verify", "lift", "recheck", "sync"}


def prepare(lab: Lab, standins: dict[str, list[str]]) -> None:
    """Make the fresh hosts as a fleet is found. *standins*: host -> names of stand-in packages it gets.

    Raises StoryError with what Ansible printed.
    """
    variables = {f"{host}": {"stopgap_lab_standins": names} for host, names in standins.items()}
    with tempfile.TemporaryDirectory() as folder:
        extra = Path(folder, "standins.json")
        extra.write_text(json.dumps({"all": {"hosts": variables}}))
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "-i",
                str(lab.inventory),
                "-i",
                str(extra),
                str(PREPARE),
            ],
            env=os.environ | {"ANSIBLE_PIPELINING": "True"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise StoryError(f"the lab hosts could not be prepared:\n{done.stdout}")


def tell(narrator: Narrator) -> None:
    """The story. Raises StoryError where reality differs from it."""
    for step in (exposed, mitigated, fix_out_of_reach, fixed, edited_file, proven):
        step(narrator)


def exposed(n: Narrator) -> None:
    n.chapter("1. Exposed", "Three hosts on two Debian releases. What are they really exposed to?")
    n.stopgap("assess", *WEB, "-l", "bookworm")
    n.stopgap("assess", *REST, "-l", "bullseye")
    n.stopgap("status")


def mitigated(n: Narrator) -> None:
    n.chapter("2. Mitigated", "The fixes must wait for a change window: interim mitigations now, proven on each host.")
    n.stopgap("mitigate", NGINX, "-l", "bookworm", "--owner", "web-team", "--reason", "change freeze")
    n.stopgap("mitigate", *REST, "-l", "bullseye", "--owner", "platform-team", "--reason", "change freeze")
    n.chapter(
        "3. On the books", "A mitigation is debt until the fix is in effect. It has an age, an owner and an expiry."
    )
    n.stopgap("debt")


def fix_out_of_reach(n: Narrator) -> None:
    n.chapter(
        "4. A fix that is not to be had",
        "The hosts know only the main archive. Where that cannot reach the fixed version,\n"
        "patch says so and changes nothing: the mitigation stays, and the books say what the fix waits for.",
    )
    n.stopgap("fix", NGINX, "-l", "bookworm", ends=2)
    n.stopgap("fix", *REST, "-l", "bullseye", ends=2)
    n.stopgap("debt")


def fixed(n: Narrator) -> None:
    n.chapter(
        "5. Fixed",
        "The security pocket is switched on. The fixes go in, are proven in effect, and the mitigations are lifted.",
    )
    n.lab.security_each(on=True)
    n.stopgap("fix", *WEB, "-l", "bookworm")
    n.stopgap("fix", *REST, "-l", "bullseye", ends=2)
    n.stopgap("status")


def edited_file(n: Narrator) -> None:
    n.chapter(
        "6. Fixed on paper",
        "cups-browsed was upgraded, but its configuration had been edited by hand, so the vulnerable setting stayed.\n"
        "The version is right and the host is not fixed: the mitigation stays in force until the new file is taken.",
    )
    n.stopgap("debt")
    n.stopgap("fix", CUPS, "-l", "desk1", "--conffiles", "replace")


def proven(n: Narrator) -> None:
    n.chapter("7. Proven", "Once more from the start, and the books at the end.")
    n.stopgap("recheck", *WEB, "-l", "bookworm")
    n.stopgap("recheck", *REST, "-l", "bullseye")
    n.stopgap("status")
    n.stopgap("debt")
    check_books(n)


def check_books(n: Narrator) -> None:
    """The story's end, read from the ledger: every case fixed, nothing owed."""
    cases = {(case["host"], case["remedy"]): case["state"] for case in n.read("status")["cases"]}
    wrong = {case: cases.get(case) for case in STORY_CASES if cases.get(case) != "fixed"}
    books = n.read("debt")
    if wrong or books["debt"] or books["orphans"]:
        raise StoryError(f"not closed: {wrong or ''} debt {books['debt']} orphans {books['orphans']}")
