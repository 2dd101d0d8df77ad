"""One fleet for all benches of speed: making it takes longer than most of them."""

import os

import pytest
from tests.bench.fleet import build
from tests.bench.table import Table

HOSTS = int(os.environ.get("STOPGAP_BENCH_HOSTS", "100"))  # containers; a smaller run is for trying things out
KEPT = os.environ.get("STOPGAP_BENCH_LAB")  # the name of a lab that is used again and stays


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    fleet = build(KEPT or f"speed{os.getpid()}", HOSTS, tmp_path_factory.mktemp("speed"))
    yield fleet
    fleet.remove(keep=bool(KEPT))


@pytest.fixture
def table(request):
    """Printed when the test ends, red or not; a limit that does not hold fails the test at its end."""
    table = Table(request.node.name.removeprefix("test_").replace("_", " "))
    yield table
    print(table)
