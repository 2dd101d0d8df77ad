"""Playing a schedule: its steps with their faults, then healing, a sync from each laptop, and the judgement."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from stopgap.lab import HostSpec, Lab
from stopgap.ledger import schema
from stopgap.ledger.errors import LedgerError
from tests.faults import agree, processes
from tests.faults.draw import HOSTS, LAPTOPS, REMEDIES, Schedule
from tests.faults.fleet import Fleet
from tests.faults.laptop import Laptop
from tests.faults.moments import MOMENTS, START
from tests.faults.scene import Scene, Step
from tests.faults.table import FAULTS
from tests.postgres import Server

SOON = 1.0  # seconds until a fault is healed that does not wait for the end of its step
LIMIT = 100.0  # seconds a step may take; more is a finding
LOOK = 0.01  # seconds between two looks
NOT_DELIVERED = ("are not in the ledger yet", "is not recorded")  # of a cut line or a wrong clock it may well tell
ENDED = (0, 2, 3)  # exit codes of a command that came to its own end, whatever hosts said
TRACEBACK = "Traceback (most recent call last)"
HUNG = f"HUNG for {LIMIT:g} s"
# Ansible's own: its workers share a lock, and one that is killed while it has it takes it along (see faults.md).
LOST_LOCK = f"LOST LOCK: Ansible waited {LIMIT:g} s for one that died with its worker"
SILENT = "SILENT: events stay in the spool, and not a word of it"
TEMPLATE = "empty_ledger"


@dataclass
class StepRecord:
    step: Step
    struck: bool = False
    held_then: int = 0  # in force on hosts when the fault struck
    unrecorded: int = 0  # in force on hosts and in no ledger when the step was over
    exit_code: int | None = None
    seconds: float = 0.0
    said: str = ""

    def came_of_it(self) -> str:
        if not self.struck:
            return " (missed)"
        return " (Ansible lost a lock)" if LOST_LOCK in self.said else ""


@dataclass
class Record:
    schedule: Schedule
    steps: list[StepRecord] = field(default_factory=list)
    held: int = 0  # in force on hosts at the end
    lost: int = 0  # of them, missing in a ledger
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def line(self) -> str:
        tried = [(one.step.fault, one.came_of_it()) for one in self.steps if one.step.fault]
        faults = ", ".join(name + what for name, what in tried)
        end = f"{self.held} in force, " + (f"{len(self.findings)} FINDINGS" if self.findings else "agreed")
        return f"seed {self.schedule.seed}: {self.schedule.backend}, {faults}; {end}; {self.seconds:.0f} s"

    def __str__(self) -> str:
        lines = [str(self.schedule), *(f"FOUND: {sentence}" for sentence in self.findings)]
        for number, one in enumerate(self.steps, 1):
            struck = "struck" if one.struck else "no fault"
            lines.append(f"--- step {number}: {struck}, exit code {one.exit_code}, {one.seconds:.1f} s\n{one.said}")
        return "\n".join(lines)


@dataclass
class World:
    fleet: Fleet
    server: Server

    def ledger_url(self) -> str:
        """An empty ledger of the team's own."""
        return self.server.url(self.server.create_database(template=TEMPLATE), "team")

    def restore(self) -> None:
        """After a schedule that broke off: hosts on, links up, the server there."""
        for host in self.fleet.lab.hosts:
            if host.state != "running":
                self.fleet.start(host.name)
            self.fleet.lab.connect(host.name)
        self.server.restart("immediate")


@contextmanager
def open_world(name: str) -> Iterator[World]:
    lab = Lab(name)
    lab.down()
    try:
        lab.up(HostSpec(host, "bookworm") for host in HOSTS)
        fleet = Fleet(lab)
        fleet.give_other_clock()
        with Server() as server:
            _make_template(server)
            yield World(fleet, server)
    finally:
        lab.down()


def _make_template(server: Server) -> None:
    server.create_database(TEMPLATE)
    schema.init(sa.make_url(server.url(TEMPLATE)))
    server.create_login("team", "stopgap_writer")


@contextmanager
def laptops(world: World, backend: str) -> Iterator[dict[str, Laptop]]:
    url = world.ledger_url() if backend == "postgresql" else ""
    folder = Path(tempfile.mkdtemp(prefix="sgf-"))  # short: it holds sockets
    made: dict[str, Laptop] = {}
    try:
        for name in LAPTOPS:
            made[name] = Laptop(name, folder, world.fleet.lab.inventory, url)
        yield made
    finally:
        for laptop in made.values():
            laptop.close()
        shutil.rmtree(folder)


def play(world: World, schedule: Schedule) -> Record:
    record = Record(schedule)
    began = time.monotonic()
    try:
        _play(world, record)
    except (AssertionError, RuntimeError, OSError, LedgerError, subprocess.SubprocessError) as error:
        record.findings.append(f"broke off: {type(error).__name__}: {error}")
        world.restore()
    record.seconds = time.monotonic() - began
    return record


def _play(world: World, record: Record) -> None:
    world.fleet.reset()
    if "small journal" in {FAULTS[name].needs for name in record.schedule.faults}:
        for name in world.fleet.names:
            world.fleet.give_small_journal(name)
    with laptops(world, record.schedule.backend) as own:
        for step in record.schedule.steps:
            record.steps.append(play_step(world, own, step))
        world.fleet.wait_idle()
        both = list(own.values())
        record.findings = _findings(record) + _sync(both) + agree.judge(world.fleet, both)
        record.held, record.lost = agree.count_lost(world.fleet, both)


def play_step(world: World, own: dict[str, Laptop], step: Step) -> StepRecord:
    record = StepRecord(step)
    laptop = own[step.laptop]
    fault = FAULTS.get(step.fault)
    scene = Scene(step, world.fleet, laptop, world.server)

    def strike() -> None:
        record.held_then = len(world.fleet.held())
        record.struck = FAULTS[step.fault].start(scene)

    scene.look_around()
    if fault and step.moment == START:
        strike()
    words = laptop.words(step.verb, step.remedies, step.by, scene.variables)
    scene.process, scene.printed = laptop.start(words, scene.before, scene.more)
    beside = _start_beside(own, step)
    _watch(scene, record, strike, beside)
    record.exit_code = scene.process.returncode
    record.seconds = time.monotonic() - scene.began
    record.said += scene.printed.read_text(errors="replace")
    if list(laptop.spool.glob("*.jsonl")) and record.exit_code in ENDED and "stopgap ledger:" not in record.said:
        record.said += SILENT
    record.unrecorded = len(world.fleet.held() - _known(own))
    return record


def _start_beside(own: dict[str, Laptop], step: Step) -> subprocess.Popen[bytes] | None:
    if not step.beside:
        return None
    other = next(laptop for name, laptop in own.items() if name != step.laptop)
    return other.start(other.words(step.beside, tuple(REMEDIES), "ansible-playbook"))[0]


def _watch(
    scene: Scene, record: StepRecord, strike: Callable[[], None], beside: subprocess.Popen[bytes] | None
) -> None:
    """Until both commands have ended and the fault is healed."""
    step, healed = scene.step, not scene.step.fault
    fault = FAULTS.get(step.fault)
    struck_at = time.monotonic()
    moment = MOMENTS[step.moment][0] if step.moment in MOMENTS else None
    everybody = [process for process in (scene.process, beside) if process]
    while any(process.poll() is None for process in everybody):
        if fault and not record.struck and scene.process.poll() is None and moment(scene, step.count):
            strike()  # again and again where nobody is there to be struck yet
            struck_at = time.monotonic()
        if record.struck and not healed and step.lasts == "soon" and time.monotonic() > struck_at + SOON:
            fault.heal(scene)
            healed = True
        if time.monotonic() > scene.began + LIMIT:
            for process in everybody:
                record.said += f"{_hang(record, process, scene)}\n{processes.describe(process.pid)}\n"
                processes.end(process.pid)
        time.sleep(LOOK)
    if record.struck and not healed:
        fault.heal(scene)


def _hang(record: StepRecord, process: subprocess.Popen[bytes], scene: Scene) -> str:
    struck = record.struck and scene.step.fault == "worker killed" and process is scene.process
    return LOST_LOCK if struck and processes.waits_for_a_lock(process.pid, "ansible-playbook") else HUNG


def _known(own: dict[str, Laptop]) -> agree.Held:
    return set().union(*(agree.known(url) for url in {laptop.ledger_url for laptop in own.values()}))


def _findings(record: Record) -> list[str]:
    """What no fault excuses."""
    found = []
    for number, one in enumerate(record.steps, 1):
        found += [f"step {number}: {sign}" for sign in (TRACEBACK, HUNG, SILENT) if sign in one.said]
    return found


def _sync(everybody: list[Laptop]) -> list[str]:
    """At once, from each laptop."""
    found = []
    started = [(laptop, *laptop.start(laptop.words("sync", (), "ansible-playbook"))) for laptop in everybody]
    for laptop, process, printed in started:
        try:
            process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            processes.end(process.pid)
            process.wait()
        said = printed.read_text(errors="replace")
        if process.returncode or any(sign in said for sign in NOT_DELIVERED):
            found.append(f"{laptop.name}: sync ended with {process.returncode}: {said}")
    return found
