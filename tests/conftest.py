"""Lab hosts shared by the tests of one run that need real ones."""

import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa

from stopgap.demo.story import prepare
from stopgap.lab import HostSpec, SuiteGoneError
from tests.books import TOP, Books
from tests.labs import lab_of
from tests.order import is_contract, place
from tests.postgres import NoPostgreSQL, Server


def pytest_configure():
    """Commands of the tests hear signals, also where this run was started to ignore them: in the background of a
    script, under nohup. What is handled here is not ignored by them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items):
    """Contracts come last: half a minute each, they fill what the long files leave of a worker."""
    items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Under `--dist loadfile` a file's tests stay on one worker with its lab hosts; contracts, which have a host each,
    go wherever one is free. (`loadgroup` would say the same, but xdist 3.8 does not group under pytest 9.)"""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FilesAndContracts(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if is_contract(nodeid) else super()._split_scope(nodeid)

    return FilesAndContracts(config, log)


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL server for this worker's whole session, started for the first test that wants it."""
    try:
        server = Server()
    except NoPostgreSQL as error:
        pytest.fail(str(error), pytrace=False)  # not skipped: half of what the ledger promises would go untested
    with server:
        yield server


@pytest.fixture(scope="session")
def team_ledger(postgres):
    """The name of a database that holds a ledger; its login `awx` is a writer and nothing more."""
    from stopgap.ledger import schema

    name = postgres.create_database("team")
    schema.init(sa.make_url(postgres.url(name)))
    postgres.create_login("awx", "stopgap_writer")
    return name


@pytest.fixture
def empty_team_ledger(postgres, team_ledger):
    """The same, empty: cheaper than a database for each test."""
    postgres.sql(
        "DELETE FROM stopgap.events; DELETE FROM stopgap.chains; DELETE FROM stopgap.cases; "
        "DELETE FROM stopgap.machines; DELETE FROM stopgap.feeds; DELETE FROM stopgap.feed_facts",
        database=team_ledger,
    )
    return team_ledger


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """This tree as its users install it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, TOP], check=True, capture_output=True)
    return next(folder.glob("stopgap-*.whl"))


@pytest.fixture(scope="session")
def small_fleet():
    """web1 (bookworm, nginx with HTTP/2) and cache1 (bullseye, redis), as a fleet is found."""
    hosts = [HostSpec("web1", "bookworm", ("nginx",)), HostSpec("cache1", "bullseye", ("redis-server",))]
    try:
        with lab_of("pytest", *hosts) as lab:
            prepare(lab, {})
            yield lab
    except SuiteGoneError as error:  # bullseye is past its support
        pytest.skip(str(error))


@pytest.fixture
def books(small_fleet, tmp_path):
    """The small fleet with an empty ledger; every mitigation is lifted again afterwards."""
    found = Books(small_fleet, tmp_path / "state")
    yield found
    if any(found.held(host.name) for host in small_fleet.hosts):
        done = found.stopgap("lift", "all", "--force", "--reason", "end of a test")
        assert not any(found.held(host.name) for host in small_fleet.hosts), done.stdout
