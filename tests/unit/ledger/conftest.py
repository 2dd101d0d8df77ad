"""A ledger of the test's own, in a state folder of its own; on PostgreSQL as a writer who may do nothing else."""

import pytest

BACKENDS = ["sqlite", "postgresql"]


@pytest.fixture(params=BACKENDS)
def state(request, tmp_path, monkeypatch):
    """The state folder. Both backends, unless the test is marked `only_sqlite` of makers.py."""
    folder = tmp_path / "state"
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(folder))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        database = request.getfixturevalue("empty_team_ledger")
        monkeypatch.setenv("STOPGAP_LEDGER_URL", server.url(database, "awx"))
    return folder


@pytest.fixture
def spool(state):
    folder = state / "spool"
    folder.mkdir(parents=True, mode=0o700)
    return folder
