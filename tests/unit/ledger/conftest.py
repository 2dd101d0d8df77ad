"""A ledger of the test's own, in a state folder of its own."""

import pytest


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(folder))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    return folder


@pytest.fixture
def spool(state):
    folder = state / "spool"
    folder.mkdir(parents=True, mode=0o700)
    return folder
