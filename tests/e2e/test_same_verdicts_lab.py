"""The same checks over our transport and over testinfra's own ssh backend, on hosts in good, bad and broken states.

Three look at each: our agent, testinfra's ssh backend, and somebody who stands on the host itself (`truth`, by direct
entry). The data in same_verdicts/ says what is asked, what states there are, and where the two transports may differ.
"""

import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from testinfra.backend.ssh import SshBackend
from testinfra.host import Host

from stopgap.collection import shared_code
from stopgap.lab import HostSpec
from stopgap.verify.backend import open_host
from stopgap.verify.checks import CHECKS as TYPES
from stopgap.verify.context import Context
from stopgap.verify.inventory import ask_ansible
from stopgap.verify.runner import run_check
from tests.labs import lab_of

pytestmark = pytest.mark.lab

DATA = Path(__file__).with_name("same_verdicts")
CATALOGUE = yaml.safe_load((DATA / "checks.yml").read_text(encoding="utf-8"))
CHECKS, REMEDIES = CATALOGUE["checks"], CATALOGUE["remedies"]
STATES = {state["name"]: state for state in yaml.safe_load((DATA / "states.yml").read_text(encoding="utf-8"))}
DIFFERENCES = yaml.safe_load((DATA / "differences.yml").read_text(encoding="utf-8"))
HOSTS = list(dict.fromkeys(state["host"] for state in STATES.values()))
PACKAGES = ("fish", "kmod", "locales", "needrestart", "nftables", "nginx", "openssl", "tcsh")
STEP = 2  # 1 asks every check in every state, which takes twice as long
TIMEOUT = 60
WORDS = {0: "pass", 99: "unknown"}  # of a `truth`; any other exit code is fail


class Peer(SshBackend):
    """testinfra's own, with the one thing that it lacks and our checks want: a command's standard input."""

    python = "python3"

    def run(self, command, *args, stdin=None, **kwargs):
        self._stdin = (stdin or "").encode("utf-8")
        return super().run(command, *args, **kwargs)

    def run_local(self, command, *args):
        command = self.encode(self.quote(command, *args))
        done = subprocess.run(command, shell=True, input=self._stdin, capture_output=True, check=False)  # noqa: S602
        return self.result(done.returncode, command, done.stdout, done.stderr)

    def connect(self):
        """The runner asks for it; here every command is a connection."""

    def start_clock(self):
        """Nor has it a clock."""


class Case(NamedTuple):
    """One check in one state. `truth` is None where nobody can look."""

    state: str
    check: str
    ours: str
    peer: str
    truth: str | None
    reasons: str

    @property
    def expected(self):
        becomes, good = STATES[self.state].get("becomes", {}), CHECKS[self.check]["good"]
        return becomes.get(self.check) or becomes.get("all") or (self.truth if good == "as looked" else good)

    @property
    def difference(self):
        return difference(self.state, self.check)

    @property
    def expected_of_peer(self):
        said = self.difference["peer"] if self.difference else self.expected
        return CHECKS[self.check]["good"] if said == "good" else said

    def __str__(self):
        return f"{self.state}: {self.check}: {self.ours}, testinfra {self.peer}, looked {self.truth} ({self.reasons})"


def difference(state, check):
    found = [one for one in DIFFERENCES if speaks_of(one, state, check)]
    return found[-1] if found else None


def speaks_of(entry, state, check):
    listed = all(entry[key] == "all" or name in entry[key] for key, name in (("states", state), ("checks", check)))
    return listed and not {state, check} & set(entry.get("but_not", []))


def asked(state):
    """The checks of a state: those that it is about, and of the others every `STEP`th, from another start each time."""
    start = list(STATES).index(state["name"])
    about = {"sound": CHECKS}.get(state["name"], state.get("becomes", {}))
    return {
        name: check
        for number, (name, check) in enumerate(CHECKS.items(), start)
        if state["name"] in check.get("only", STATES)
        and (number % STEP == 0 or name in about or difference(state["name"], name))
    }


class Fleet:
    """Hosts made sound, and the ways to each of them."""

    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder
        self.password = (lab.folder / "opspw.password").read_text().strip()
        inventory = folder / "hosts.yml"
        common = yaml.safe_load(lab.inventory.read_text())["all"]["vars"]
        aliases = {name: self.variables(state) for name, state in STATES.items()}
        inventory.write_text(yaml.safe_dump({"all": {"vars": common, "hosts": aliases}}))
        self.connections = ask_ansible("all", str(inventory))

    def variables(self, state):
        """How a site would write it into its inventory. No warm connection: it would carry the state before."""
        return {
            "ansible_host": self.lab.host(state["host"]).address,
            "ansible_user": state.get("login", "ops"),
            "ansible_become_method": state.get("become", "sudo"),
            "ansible_become_user": state.get("become_user", "root"),
            "ansible_ssh_args": "-o ControlMaster=no -o ControlPath=none",
            **({"ansible_become_password": self.password} if state.get("password") else {}),
        }

    def make_sound(self, host):
        self.lab.exec(host, ["bash", "-s"], input=(DATA / "base.sh").read_text(encoding="utf-8"))
        rules = shared_code("nft").script_of(CHECKS["firewall_closed"]["params"])
        self.lab.exec(host, ["nft", "-f", "-"], input=rules)

    def compare_on(self, host):
        self.make_sound(host)
        return [case for state in STATES.values() if state["host"] == host for case in self.compare(state)]

    def compare(self, state):
        """The cases of one state."""
        self.enter(state, state.get("do", ""))
        self.enter(state, state["made"])
        ours, peer = open_host(state["name"], self.connections[state["name"]], TIMEOUT), self.peer(state)
        checks = asked(state)
        truth = self.look(state, checks)
        results = {name: [ask(host, check) for host in (ours, peer)] for name, check in checks.items()}
        ours.backend.close()
        self.enter(state, state.get("undo", ""))
        return [case_of(state["name"], name, truth.get(name), *both) for name, both in results.items()]

    def peer(self, state):
        as_user = {"sudo": "peer" not in state, "sudo_user": state.get("become_user")}
        where = f"{state.get('peer') or state.get('login', 'ops')}@{state['host']}"
        control = str(self.folder / state["name"])
        backend = Peer(where, ssh_config=str(self.lab.ssh_config), controlpath=control, controlpersist=5, **as_user)
        host = Host(backend)
        backend.set_host(host)
        return host

    def enter(self, state, script):
        """Runs as root on the host itself, by neither transport."""
        environment = ["env", "LC_ALL=C.UTF-8", f"PASSWORD={self.password}"]
        done = self.lab.exec(state["host"], [*environment, "bash", "-es"], input=script, check=False)
        assert done.returncode == 0, f"{state['name']}: {script}: {done.stdout[-1000:]}{done.stderr[-1000:]}"

    def look(self, state, checks):
        """{check: verdict}, of those that can be looked at."""
        looks = {name: check["truth"] for name, check in checks.items() if "truth" in check}
        script = "".join(
            f"( exec < /dev/null > /dev/null 2>&1\n{look}\n)\necho {name} $?\n" for name, look in looks.items()
        )
        who = [f"LOGIN={state.get('login', 'ops')}", f"BECOME={state.get('become_user', 'root')}"]
        done = self.lab.exec(state["host"], ["env", "LC_ALL=C", *who, "bash", "-s"], input=script)
        codes = dict(line.split() for line in done.stdout.splitlines())
        assert codes.keys() == looks.keys(), done.stderr
        return {name: WORDS.get(int(code), "fail") for name, code in codes.items()}


def case_of(state, check, truth, ours, peer):
    return Case(state, check, ours["verdict"], peer["verdict"], truth, f"{ours['reason']} | {peer['reason']}")


def ask(host, check):
    return run_check(host, check, Context(REMEDIES[check.get("remedy", "plain")], "fix"))


@pytest.fixture(scope="module")
def cases():
    """All of it, once."""
    hosts = [HostSpec(host, "bookworm", PACKAGES) for host in HOSTS]
    with (
        lab_of("same", *hosts) as lab,
        tempfile.TemporaryDirectory(prefix="same-") as folder,
        ThreadPoolExecutor(len(HOSTS)) as pool,
    ):
        fleet = Fleet(lab, Path(folder))
        yield [case for found in pool.map(fleet.compare_on, HOSTS) for case in found]


def test_every_verdict_of_ours_is_what_the_state_makes_of_it(cases):
    """Said in the data before, and seen on the host itself: ours may not know, and is never wrong."""
    assert [str(case) for case in cases if case.ours != case.expected] == []
    assert [str(case) for case in cases if case.ours != "unknown" and case.truth not in (None, case.ours)] == []


def test_testinfras_own_ssh_backend_has_the_same_verdicts(cases):
    assert [str(case) for case in cases if case.peer != case.expected_of_peer] == []


def test_where_the_two_differ_the_host_itself_says_who_is_right(cases):
    differing = [case for case in cases if case.ours != case.peer]
    right = {"ours": lambda case: case.ours == case.truth, "testinfra": lambda case: case.peer == case.truth}
    assert [str(case) for case in differing if not right[case.difference["right"]](case)] == []
    assert [str(case) for case in differing if case.difference["right"] == "testinfra" and case.ours != "unknown"] == []
    told = [{id(case.difference) for case in cases if case.difference}, {id(case.difference) for case in differing}]
    assert told == [{id(one) for one in DIFFERENCES}] * 2  # none of them is out of date


def test_enough_was_compared_to_mean_something(cases, capsys):
    same = [case for case in cases if case.ours == case.peer]
    words = dict(Counter(case.ours for case in same))
    right = dict(Counter(case.difference["right"] for case in cases if case.ours != case.peer))
    with capsys.disabled():
        print(f"\n{len(cases)} verdicts, {len(CHECKS)} checks in {len(STATES)} states; {len(same)} the same: {words}")
        print(f"{len(cases) - len(same)} not the same; who the host bears out: {right}")
    assert {check["type"] for check in CHECKS.values()} == TYPES.keys()
    assert len(same) >= 300
    assert min(words[word] for word in ("pass", "fail", "unknown")) >= 100
