"""However many hosts are looked at together, the ledger is the same."""

import sqlalchemy as sa
from tests.bench.ledger_fleet import runs

from stopgap.ledger import book, pages, service
from stopgap.ledger.events import parse_line
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import cases, chains, events, machines

LINES, HOSTS = 800, 40


def written(told):
    """Every table after these deliveries."""
    with writing(open_ledger()) as connection:
        for one in told:
            book.record(connection, one)
        return {
            table.name: {tuple(row) for row in connection.execute(sa.select(*_lasting(table)))}
            for table in (events, chains, cases, machines)
        }


def _lasting(table):
    """Hashes cover who wrote an event down, and when."""
    return [column for column in table.c if column.name not in ("writer", "recorded_at", "hash", "folded")]


def test_a_host_at_a_time_or_all_together(state, monkeypatch):
    told = [[parse_line(line.strip()) for line in run.lines] for run in runs(LINES, HOSTS)]
    together = written(told)
    assert len(together["events"]) > LINES / 2
    assert service.check() == []
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{state}/alone.sqlite")
    monkeypatch.setattr(pages, "HOSTS_AT_ONCE", 1)
    assert written(told) == together
