"""A ledger of the test's own, feeds of its own, and the command as a user types it."""

import json
import sys

import pytest
from tests.unit.ledger.conftest import state  # noqa: F401 - a fixture: both backends
from tests.unit.ledger.makers import event

from stopgap.cli.main import main
from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, writing

SCORES = "#model_version:v2025.03.14,score_date:{date}T00:00:00+0000\ncve,epss,percentile\nCVE-2021-44228,0.97,0.99\n"


@pytest.fixture(autouse=True)
def no_policy(monkeypatch):
    monkeypatch.delenv("STOPGAP_POLICY", raising=False)


@pytest.fixture
def record(state):  # noqa: F811
    def write(*events):
        with writing(open_ledger()) as connection:
            book.record(connection, events)

    return write


@pytest.fixture
def stopgap(state, capsys, monkeypatch):  # noqa: F811
    """`stopgap("risk", "feeds")` gives the exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["stopgap", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def kev(tmp_path):
    """Writes a catalogue and gives its path: `kev("2026-11-20", CVE=(added, due))`."""

    def write(dated, **listed):
        entries = [
            {"cveID": name.replace("_", "-"), "vulnerabilityName": "A name", "dateAdded": added, "dueDate": due}
            for name, (added, due) in listed.items()
        ]
        told = {"dateReleased": f"{dated}T10:00:00Z", "count": len(entries), "vulnerabilities": entries}
        file = tmp_path / f"kev-{dated}.json"
        file.write_text(json.dumps(told))
        return file

    return write


@pytest.fixture
def epss(tmp_path):
    def write(dated):
        file = tmp_path / f"epss-{dated}.csv"
        file.write_text(SCORES.format(date=dated))
        return file

    return write


def exposed(host, at, remedy="CVE-2021-44228", estate="default", **about):
    evidence = {"code": "below_fixed", **({"about": about} if about else {})}
    return event(host=host, at=at, remedy=remedy, estate=estate, reason="liblog4j2-java 1 < 2", evidence=evidence)


def known(revision=1, at="2026-11-01T00:00:00.000000Z", remedy="CVE-2021-44228", **told):
    return event(
        estate="", host="", kind="remedy", verdict="known", remedy=remedy, revision=revision, at=at, evidence=told
    )
