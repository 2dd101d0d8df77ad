"""What proof costs: `pytest --remedy` beside stock testinfra and beside the floor, its memory, and how it grows.

Every run that decides begins without an open connection, as a run of every hour does.
"""

import json
import os
import statistics

import pytest
from tests.bench import curve, floor
from tests.bench.conftest import HOSTS
from tests.bench.fleet import FORKS
from tests.bench.table import machine
from tests.books import TOP

from stopgap.remedy import resolve, search_path

pytestmark = pytest.mark.bench
REMEDY, FOLDER = "SITE-2026-6001", TOP / "tests/bench/remedies"
ROUNDS = int(os.environ.get("STOPGAP_BENCH_ROUNDS", "3"))
WORKERS = 8  # of the peer's
CONNECTIONS = """
import json, sys
from stopgap.verify.inventory import ask_ansible
json.dump(ask_ansible("all", sys.argv[1]), open(sys.argv[2], "w"))
"""


@pytest.fixture(scope="module")
def remedy():
    return resolve([REMEDY], search_path([FOLDER]))[0]


def prove(fleet, count, cold=True, **options):
    """The whole command: start, Ansible's word on how to reach the hosts, proof, report."""
    words = ["--remedy", REMEDY, "--remedy-path", str(FOLDER), "--hosts=ansible://all"]
    if cold:
        fleet.cool()
    run = fleet.run("pytest", "-q", *words, f"--ansible-inventory={fleet.inventory(count)}", **options)
    assert f"{6 * count} passed" in run.said, run.said[-2000:]
    return run


def stock(fleet, count, configuration=TOP / "ansible.cfg"):
    checks = [str(TOP / "tests/bench/stock_checks.py"), "--hosts=ansible://all", "--sudo", "-n", str(WORKERS)]
    fleet.cool()
    run = fleet.run(
        "pytest", "-q", *checks, f"--ansible-inventory={fleet.inventory(count)}", ANSIBLE_CONFIG=str(configuration)
    )
    assert f"{6 * count} passed" in run.said, run.said[-2000:]
    return run


def helped(fleet):
    """The configuration that makes testinfra's own ssh keep its connections: it does not do so by itself."""
    file = fleet.folder / "helped.cfg"
    written = (TOP / "ansible.cfg").read_text().rstrip()
    file.write_text(f"{written}\ncontrol_path = {fleet.sockets}/%%h\n")
    return file


def connections(fleet, count):
    """Made once, as data: what the verifier itself gets, and what the floor is made of."""
    file = fleet.folder / f"connections{count}.json"
    if not file.exists():
        fleet.run("python", "-c", CONNECTIONS, fleet.inventory(count), str(file))
    return json.loads(file.read_text())


def request(fleet, count, remedy):
    """A file with what `python -m stopgap.verify` is asked in a play."""
    file = fleet.folder / f"request{count}.json"
    target = {"remedy": REMEDY, "phase": "fix", "mitigation": None}
    made = connections(fleet, count)
    wanted = {"remedies": [remedy], "targets": {name: [target] for name in made}, "connections": made}
    file.write_text(json.dumps({**wanted, "timeout": 30, "forks": FORKS, "tests": []}))
    return file


def transport(fleet, asked, **options):
    run = fleet.run("python", "-m", "stopgap.verify", stdin=asked, **options)
    results = json.loads(run.said)["results"]
    assert {entry["verdict"] for entries in results.values() for entry in entries} == {"pass"}
    return run


def floor_of(fleet, count, remedy):
    file = fleet.folder / f"floor{count}.txt"
    if not file.exists():
        made = connections(fleet, count)
        floor.write(file, made, floor.commands(next(iter(made.values())), remedy))
        fleet.cool()
    return file


def test_verify_beside_stock_testinfra_and_the_floor(fleet, remedy, table):
    bare, asked = floor_of(fleet, HOSTS, remedy), request(fleet, HOSTS, remedy)
    took = {name: [] for name in ("floor", "warm floor", "agents", "warm agents", "ours", "warm ours")}
    for number in range(ROUNDS):
        fleet.cool()
        took["floor"].append(floor.run(fleet, bare, FORKS).seconds)
        took["warm floor"].append(floor.run(fleet, bare, FORKS).seconds)
        fleet.cool()
        took["agents"].append(transport(fleet, asked).seconds)
        took["warm agents"].append(transport(fleet, asked).seconds)
        took["ours"].append(prove(fleet, HOSTS).seconds)
        took["warm ours"].append(prove(fleet, HOSTS, cold=False).seconds)
        if number == 0:  # minutes: between two rounds of ours, where the machine's mood changes
            peer, few = stock(fleet, HOSTS).seconds, HOSTS // 5
            kept = stock(fleet, few, helped(fleet)).seconds
    middle = {name: statistics.median(seconds) for name, seconds in took.items()}
    table.figure(f"{HOSTS} hosts x 6 checks, {FORKS} at a time, medians of {ROUNDS}; peers once", "")
    table.figure(f"pytest --hosts=ansible://all -n {WORKERS}, as it comes", f"{peer:.1f} s")
    table.figure(f"the same for {few} of the hosts, helped by a control_path", f"{kept:.1f} s")
    names = {"floor": "one ssh a host, the same commands in it", "agents": "python -m stopgap.verify, in a play"}
    for name, said in {**names, "ours": "pytest --remedy, the whole command"}.items():
        seconds = f"{middle[name]:.1f} s; {middle[f'warm {name}']:.1f} s"
        table.figure(f"{said}: cold; connections open", seconds)
    beside = lambda name, other: statistics.median(a / b for a, b in zip(took[name], took[other], strict=True))  # noqa: E731
    table.figure("python -m stopgap.verify / floor: cold", f"{beside('agents', 'floor'):.2f}")
    table.figure("connections open: python -m stopgap.verify / floor", f"{beside('warm agents', 'warm floor'):.2f}")
    table.figure("connections open: pytest --remedy / floor", f"{beside('warm ours', 'warm floor'):.2f}")
    table.figure("connections open: stock / pytest --remedy", f"{peer / middle['warm ours']:.1f}")
    table.ratio("stock / pytest --remedy, both cold", peer / middle["ours"], least=20)
    table.ratio("pytest --remedy / floor, both cold", beside("ours", "floor"), most=1.5)
    assert not table.failed, table.failed


def test_controller_memory_of_verify(fleet, remedy, table):
    """Names on the same hosts, each with a connection of its own."""
    peaks = {count: prove(fleet, count, weigh=True) for count in (100, 1000)}
    for count, run in peaks.items():
        table.figure(f"pytest --remedy, {count} names, all its processes", f"{run.memory:.0f} MB, {run.seconds:.0f} s")
        table.figure("their resident sizes, shared pages in each", f"{run.apparent:.0f} MB")
        table.figure("ssh's own warm connections beside it (ControlPersist)", f"{run.warm:.0f} MB")
    table.ratio("1,000 names / 100", peaks[1000].memory / peaks[100].memory, most=1.25)
    table.ratio("MB at 1,000 names", peaks[1000].memory, most=400)
    assert not table.failed, table.failed


def test_time_grows_with_the_hosts_and_no_faster(fleet, remedy, table):
    ours, bare = {}, {}
    for count in (50, 100, 200):
        script = floor_of(fleet, count, remedy)
        for _round in range(ROUNDS):
            fleet.cool()
            bare.setdefault(count, []).append(floor.run(fleet, script, FORKS).seconds)
            ours.setdefault(count, []).append(prove(fleet, count).seconds)
    lines = {
        name: {count: min(seconds) for count, seconds in taken.items()}
        for name, taken in (("pytest --remedy, whole command", ours), ("floor: one ssh a host, same commands", bare))
    }
    for name, points in lines.items():
        table.figure(f"{name}: 50, 100, 200", ", ".join(f"{seconds:.1f}" for seconds in points.values()) + " s")
    title = f"Seconds to verify hosts, 6 checks each, {FORKS} at a time"
    under = f"{machine().partition(';')[0]}; {HOSTS} containers on the same machine; best of {ROUNDS}"
    curve.write(os.environ.get("STOPGAP_BENCH_CURVE", TOP / "docs/verify-speed.svg"), title, under, lines)
    seconds = lines["pytest --remedy, whole command"]
    table.ratio("100 hosts / 50", seconds[100] / seconds[50], most=2.25)
    table.ratio("200 hosts / 100", seconds[200] / seconds[100], most=2.25)
    assert not table.failed, table.failed
