"""A full mitigate pass (assess, apply, verify, record) beside `ansible -m ping` and the same work in stock modules.

The same hosts, each a systemd of its own, the same run; forks, pipelining and warm connections are equal for all.
"""

import json
import statistics

import pytest
from tests.bench.conftest import HOSTS
from tests.bench.fleet import FORKS
from tests.books import TOP

pytestmark = pytest.mark.bench
REMEDY = "CVE-2023-44487"
CHOSEN = ["-e", f"stopgap_remedies={REMEDY}"]


def play(fleet, file, *words, **options):
    return fleet.run("ansible-playbook", str(TOP / file), *words, "-i", fleet.inventory(HOSTS), **options)


def ping(fleet, *words):
    return fleet.run("ansible", "all", "-m", "ping", *words, "-i", fleet.inventory(HOSTS)).seconds


def mitigate(fleet, **options):
    return play(fleet, "playbooks/mitigate.yml", *CHOSEN, **options)


def in_force(fleet):
    """Hosts that the ledger has the mitigation of."""
    books = json.loads(fleet.run("stopgap", "debt", "--json").said)
    return {row["host"] for row in books["debt"] if row["remedy"] == REMEDY}


def test_mitigate_beside_ping_and_stock_modules(fleet, table):
    """Peer first, and taken back: two drop-ins with the same directives are none that nginx accepts."""
    records = fleet.folder / "records"
    records.mkdir()
    ping(fleet, "-b")  # warm connections for all
    pings = [ping(fleet)]
    stock = play(fleet, "tests/bench/stock_mitigate.yml", "-e", f"record_folder={records}").seconds
    assert len(list(records.iterdir())) == HOSTS
    play(fleet, "tests/bench/stock_lift.yml")
    pings.append(ping(fleet))
    ours = mitigate(fleet).seconds
    assert len(in_force(fleet)) == HOSTS
    ping(fleet, "-b")
    pings.append(ping(fleet))
    usual = statistics.median(pings)
    table.figure(f"{HOSTS} hosts, {FORKS} forks, pipelining, warm; median of 3 pings", "")
    table.figure("ansible -m ping", f"{usual:.1f} s")
    table.figure("mitigate", f"{ours:.1f} s")
    table.figure("the same work in stock modules", f"{stock:.1f} s")
    table.ratio("mitigate / ping", ours / usual, most=3)
    table.ratio("stock modules / mitigate", stock / ours, least=4)
    assert not table.failed, table.failed


def test_controller_memory_of_plays(fleet, table):
    """No limit: most of it is Ansible's own, a process of 15 MB for each fork."""
    inventory = ["-i", fleet.inventory(HOSTS)]
    runs = {
        "ansible -m ping": fleet.run("ansible", "all", "-m", "ping", *inventory, weigh=True),
        "mitigate, found in force": mitigate(fleet, weigh=True),
        "recheck": play(fleet, "playbooks/recheck.yml", *CHOSEN, weigh=True),
    }
    for name, run in runs.items():
        table.figure(f"{HOSTS} hosts, {FORKS} forks: {name}", f"{run.memory:.0f} MB, {run.seconds:.0f} s")
        table.figure("its processes' resident sizes, shared pages in each", f"{run.apparent:.0f} MB")
