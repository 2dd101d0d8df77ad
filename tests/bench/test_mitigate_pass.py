"""A full mitigate pass (assess, apply, verify, record) beside `ansible -m ping`: same hosts, same run, equal forks."""

import os
import statistics
import time

import pytest
from tests.books import Books

from stopgap.demo.story import prepare
from stopgap.lab import HostSpec, Lab

pytestmark = pytest.mark.bench
HOSTS, ROUNDS, REMEDY = 20, 3, "CVE-2023-44487"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    lab = Lab(f"bench{os.getpid()}")
    try:
        lab.up([HostSpec(f"n{i}", "bookworm", ("nginx",)) for i in range(1, HOSTS + 1)])
        prepare(lab, {})
        yield Books(lab, tmp_path_factory.mktemp("bench") / "state")
    finally:
        lab.down()


def timed(act):
    started = time.monotonic()
    done = act()
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - started


def test_a_mitigate_pass_costs_at_most_three_pings(fleet):
    inventory = ["-i", str(fleet.lab.inventory), "-f", str(HOSTS)]
    ping = lambda *more: fleet.command("ansible", "all", "-m", "ping", *more, *inventory)  # noqa: E731
    ping("-b")  # warm connections for all
    plain, become, passes = [], [], []
    for _round in range(ROUNDS):
        plain.append(timed(ping))
        become.append(timed(lambda: ping("-b")))
        passes.append(timed(lambda: fleet.playbook("mitigate", "-e", f"stopgap_remedies={REMEDY}", "-f", str(HOSTS))))
        assert len(fleet.owed()) == HOSTS
        assert fleet.stopgap("lift", REMEDY, "--force", "--reason", "next round").returncode == 0
        assert fleet.owed() == set()
    ratio = statistics.median(m / p for m, p in zip(passes, plain, strict=True))
    print(
        f"\n{HOSTS} hosts, {ROUNDS} rounds, medians: ansible -m ping {statistics.median(plain):.1f} s (with become "
        f"{statistics.median(become):.1f} s), mitigate {statistics.median(passes):.1f} s, ratio {ratio:.2f}"
    )
    assert ratio <= 3
