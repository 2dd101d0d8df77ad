"""A ledger of the test's own, with a fleet whose times are known."""

import pytest
from tests.unit.ledger.conftest import state  # noqa: F401 - a fixture: both backends
from tests.unit.ledger.makers import event
from tests.unit.measures.makers import moment

from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, writing


@pytest.fixture
def record(state):  # noqa: F811
    def write(*events):
        with writing(open_ledger()) as connection:
            book.record(connection, events)

    return write


def exposed(host, day, *, owner="", **more):
    about = {"about": {"owner": owner, "exposure": "internet", "criticality": "high"}} if owner else {}
    return event(host=host, at=moment(day), evidence={"code": "below_fixed", **about}, **more)


def fixed(host, day, **more):
    yield event(host=host, at=moment(day), verdict="patched", evidence={"code": "awaiting_proof"}, **more)
    yield event(host=host, at=moment(day), kind="verified", verdict="pass", evidence={"phase": "fix"}, **more)


def mitigated(host, day, **more):
    entry = {"mitigation": "limits", "entry": f"E-{host}"}
    proof = {"phase": "mitigation", **entry}
    yield event(host=host, at=moment(day), kind="mitigation", verdict="applied", evidence=entry, **more)
    yield event(host=host, at=moment(day), kind="verified", verdict="pass", evidence=proof, **more)


@pytest.fixture
def fleet(record):
    """Four of ann: fixed after 1, 2, 3 days, one still open; one of bob, silent; one nobody owns, never affected."""
    told = [exposed(f"web{number}", 1, owner="ann") for number in (1, 2, 3, 4)]
    told += [one for number in (1, 2, 3) for one in fixed(f"web{number}", 1 + number)]
    told += mitigated("web4", 1.5)
    told += [exposed("db1", 3, owner="bob", remedy="CVE-2024-6387")]
    told += [
        event(host="db1", at=moment(4), verdict="unknown", remedy="CVE-2024-6387", evidence={"code": "unreachable"})
    ]
    told += [event(host="db2", at=moment(1), verdict="not_affected", evidence={"code": "not_installed"})]
    record(*told)
