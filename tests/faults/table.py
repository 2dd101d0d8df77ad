"""The faults. A new one is a function that starts it, one that heals it where it does not end by itself, and a line."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import disks, processes
from tests.faults.fleet import CLOCK, SKEWED
from tests.faults.moments import DELIVERY, MOMENTS, START
from tests.faults.scene import Scene

OFFSETS = ("+400d", "-30d", "+1h", "-1h", "+90s", "-90s")


def kill_controller(scene: Scene) -> bool:
    alive = scene.process is not None and scene.process.poll() is None
    processes.end(scene.pid)
    return alive


def kill_worker(scene: Scene) -> bool:
    """One process that ansible-playbook forked, not the controller."""
    above = processes.parents()
    forks = [one for one in processes.find(scene.pid, "ansible-playbook") if _is_fork(one, above.get(one, 0))]
    return bool(forks) and bool(processes.send(signal.SIGKILL, [forks[scene.step.pick % len(forks)]]))


def _is_fork(process: int, parent: int) -> bool:
    return processes.words(process) == processes.words(parent) != ""


def kill_delivery(scene: Scene) -> bool:
    return bool(processes.send(signal.SIGKILL, processes.find(scene.pid, DELIVERY)))


def stop_controller(scene: Scene) -> bool:
    return bool(processes.send(signal.SIGSTOP, processes.tree(scene.pid)))


def continue_controller(scene: Scene) -> None:
    processes.send(signal.SIGCONT, processes.tree(scene.pid))


def stop_delivery(scene: Scene) -> bool:
    return bool(processes.send(signal.SIGSTOP, processes.find(scene.pid, DELIVERY)))


def end_controller(scene: Scene) -> None:
    processes.end(scene.pid)


def fill_state(scene: Scene) -> bool:
    disks.fill(scene.laptop.state, scene.step.pick % 24)
    return True


def empty_state(scene: Scene) -> None:
    disks.make_room(scene.laptop.state)


def fill_journal(scene: Scene) -> bool:
    scene.fleet.fill(scene.step.host, scene.step.pick % 12)
    return True


def empty_journal(scene: Scene) -> None:
    scene.fleet.make_room(scene.step.host)


def cut_link(scene: Scene) -> bool:
    scene.fleet.lab.disconnect(scene.step.host)
    return True


def mend_link(scene: Scene) -> None:
    scene.fleet.lab.connect(scene.step.host)


def cut_power(scene: Scene) -> bool:
    scene.fleet.cut_power(scene.step.host)
    return True


def start_host(scene: Scene) -> None:
    scene.fleet.start(scene.step.host)


def crash_server(scene: Scene) -> bool:
    """As `pg_ctl stop -m immediate`."""
    assert scene.server is not None
    scene.server.stop("immediate")
    return True


def start_server(scene: Scene) -> None:
    assert scene.server is not None
    scene.server.start()


def turn_controllers_clock(scene: Scene) -> bool:
    scene.before = ["faketime", "-f", _offset(scene)]
    path = f"{CLOCK}{os.pathsep}{scene.laptop.environment['PYTHONPATH']}"
    scene.more = {"DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": path}
    return True


def turn_hosts_clocks(scene: Scene) -> bool:
    for name in scene.fleet.names:
        scene.fleet.set_other_clock(name, _offset(scene))
    scene.variables = [f"ansible_python_interpreter={SKEWED}"]
    return True


def _offset(scene: Scene) -> str:
    return OFFSETS[scene.step.pick % len(OFFSETS)]


def nothing(_scene: Scene) -> None:
    """It is over by itself."""


DELIVERING = ("delivery", "transaction")
RUNNING = tuple(one for one in MOMENTS if one != "transaction")
ANY = (START, *RUNNING)
PLAYING = ("task", "entry", "change", "spool", "clock")
SOON, STEP = ("soon",), ("step",)


@dataclass(frozen=True)
class Fault:
    """`start` says whether it struck anybody. `lasts`: see scene.Step."""

    what: str
    start: Callable[[Scene], bool]
    heal: Callable[[Scene], None] = nothing
    moments: tuple[str, ...] = RUNNING
    lasts: tuple[str, ...] = STEP
    needs: str = ""  # "postgresql", "small journal", "kept journal", "play"


FAULTS = {
    "controller killed": Fault("kill -9 of the controller and all its processes", kill_controller),
    "worker killed": Fault("kill -9 of one of Ansible's workers", kill_worker, nothing, PLAYING, needs="play"),
    "delivery killed": Fault("kill -9 of the ingest", kill_delivery, nothing, DELIVERING),
    "controller stopped": Fault("SIGSTOP, then SIGCONT", stop_controller, continue_controller, lasts=SOON),
    "stopped and killed": Fault("SIGSTOP, then kill -9", stop_controller, end_controller, lasts=SOON),
    "delivery stopped": Fault("SIGSTOP of the ingest", stop_delivery, continue_controller, DELIVERING, SOON),
    "state folder full": Fault("no space for spool and ledger", fill_state, empty_state, ANY, SOON + STEP),
    "journal full": Fault("no space on a host", fill_journal, empty_journal, ANY, SOON + STEP, "small journal"),
    "link cut": Fault("a host's network link down", cut_link, mend_link, ANY, SOON + STEP),
    "power cut": Fault("a host off, and started again", cut_power, start_host, ANY, SOON + STEP, "kept journal"),
    "server crashed": Fault("pg_ctl stop -m immediate", crash_server, start_server, ANY, SOON + STEP, "postgresql"),
    "controller's clock": Fault("faketime around the command", turn_controllers_clock, nothing, (START,)),
    "hosts' clocks": Fault("faketime around the modules", turn_hosts_clocks, nothing, (START,), needs="play"),
}  # fmt: skip
