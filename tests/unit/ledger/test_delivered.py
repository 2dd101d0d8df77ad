"""What one run brought, asked of either backend; how it is told: tests/unit/cli/test_sync_told.py."""

from tests.unit.ledger.makers import RUN, event, moment

from stopgap.ledger import book, readers
from stopgap.ledger.delivered import Delivered, Found
from stopgap.ledger.store import open_ledger, writing

SYNC = RUN.replace("3", "4")


def test_what_one_run_brought(state):
    def applied(host, entry, run, **more):
        evidence = {"mitigation": "m", "entry": entry, "step": 1, "found": True} | more
        return event(host=host, kind="mitigation", verdict="applied", evidence=evidence, run=run, at=moment(1))

    def seen(host):
        return event(host=host, kind="journal", verdict="seen", remedy="", evidence={"in_force": []}, run=SYNC)

    assert readers.brought_by(SYNC) == []
    with writing(open_ledger()) as connection:
        book.record(connection, [applied("web1", "E1", RUN), event(host="web2", run=RUN)])
        book.record(connection, [applied("web1", "E2", SYNC), applied("web2", "E1", SYNC), seen("web3")])
        book.record(connection, [applied("web1", "E1", SYNC, step=2), seen("web1")])
    found = [Found("CVE-1", entry, "m", "applied", moment(1), 1) for entry in ("E2", "E1")]
    assert readers.brought_by(SYNC) == [
        Delivered("default", "web1", 2, [found[0]]),
        Delivered("default", "web2", 1, [found[1]]),
        Delivered("default", "web3", 0, []),
    ]
