"""P6 at scale: 100,000 closed cases held against a raised revision, beside a bare UPDATE of the same rows."""

import time

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import event, moment

from stopgap.ledger import bulk, folded
from stopgap.ledger import case as case_as
from stopgap.ledger.debts import utc_now
from stopgap.ledger.projection import Fold, case_of, fold, tell
from stopgap.ledger.review import review
from stopgap.ledger.store import open_ledger, reading, writing
from stopgap.ledger.tables import cases

pytestmark = pytest.mark.bench
CASES = 100_000
SECONDS = 10  # of this process and of the server's, by the clock of the CPU: others may be busy on this machine
VERSION = "1.22.1-9+deb12u11"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        server, name = request.getfixturevalue("postgres"), request.getfixturevalue("empty_team_ledger")
        monkeypatch.setenv("STOPGAP_LEDGER_URL", server.url(name, "awx"))
    engine = open_ledger()
    _fill(engine)
    if request.param == "postgresql":
        server.sql("ANALYZE stopgap.cases", database=name)  # as autovacuum does within the minute
    return request.param, engine


def _fill(engine):
    """Hosts that were all proven fixed in the same minute: kept as the fold of their events keeps them."""
    package = {"name": "nginx", "arch": "amd64", "version": VERSION, "source_version": VERSION, "required": [VERSION]}
    evidence = {"code": "awaiting_proof", "distro": "debian-12", "packages": [package]}
    told = [
        event(verdict="patched", reason="fix on disk", evidence=evidence, at=moment(1)),
        event(kind="verified", verdict="pass", evidence={"phase": "fix", "checks": []}, at=moment(2)),
    ]
    kept = fold(Fold(), [tell(one) for one in told])
    row = case_as.to_row(case_of(("default", "web1", "CVE-1"), kept)) | {"folded": folded.to_text(kept)}
    with writing(engine) as connection:
        for first in range(0, CASES, 10_000):
            rows = [row | {"host": f"web{number:06}"} for number in range(first, first + 10_000)]
            bulk.insert(connection, cases, bulk.rows_of(cases, rows))


def test_a_hundred_thousand_closed_cases_are_reopened_within_seconds(ledger):
    backend, engine = ledger
    packages = [{"name": "nginx", "introduced": None, "fixed_in": {"debian-12": ["1.22.1-9+deb12u12"]}}]
    told = {"packages": packages, "mitigations": {}, "conditions": False, "digest": "0" * 64}
    knowledge = {"id": "00000000-0000-768f-aff0-99285644a645", "remedy": "CVE-1", "revision": 2, "evidence": told}
    began, cpu = time.perf_counter(), time.process_time()
    found = review([knowledge], utc_now())
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert len(found.changed) == CASES
    assert {one.state for one in found.changed} == {"exposed"}
    bare = _bare_update(engine)
    print(
        f"\n{backend}: {CASES:,} cases reopened in {wall:.1f} s ({cpu:.1f} s of our CPU); a bare UPDATE of the same "
        f"rows takes {bare:.1f} s: {wall / bare:.1f} times as long"
    )
    assert cpu < SECONDS


def _bare_update(engine):
    began = time.perf_counter()
    changed = {"state": "patched", "since": moment(9), "reason": "x" * 100, "flags": "[]", "waiting_for": "y" * 60}
    with writing(engine) as connection:
        connection.execute(sa.update(cases).values(**changed, folded=cases.c.folded + " "))
    took = time.perf_counter() - began
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(cases.c.state == "patched")) == CASES
    return took
