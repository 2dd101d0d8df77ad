"""What is known of remedies, by the ledger and by the catalogue."""

import pytest
from tests.unit.ledger.makers import only_sqlite
from tests.unit.risk.conftest import known

from stopgap.ledger.store import open_ledger, writing
from stopgap.risk.knowledge import read_remedies, remedy_facts
from stopgap.risk.severity import base_score


def read(*ids):
    with writing(open_ledger()) as connection:
        return read_remedies(connection, ids)


def test_the_newest_revision_counts_and_of_it_the_newest_word(record):
    record(
        known(revision=2, at="2026-11-02T00:00:00.000000Z", title="second", risk={"automatable": True}),
        known(revision=2, at="2026-11-03T00:00:00.000000Z", title="second, again", risk={"automatable": False}),
        known(revision=1, at="2026-11-04T00:00:00.000000Z", title="first, said late"),
    )
    told = read("CVE-2021-44228")["CVE-2021-44228"]
    assert (told.title, told.automatable) == ("second, again", False)
    assert told.source == "remedy CVE-2021-44228 revision 2, in the ledger since 2026-11-03"


@only_sqlite
def test_the_catalogue_has_its_word_where_the_ledger_has_none(state):
    told = read("CVE-2024-6387", "CVE-1999-0001")
    assert told["CVE-2024-6387"].technical_impact == "total"
    assert "regreSSHion" in told["CVE-2024-6387"].names
    assert told["CVE-2024-6387"].source.endswith("of the catalogue")
    assert told["CVE-1999-0001"].automatable is None


@pytest.mark.parametrize("odd", [None, 1, "x", [], {"automatable": "yes", "technical_impact": "huge", "cvss": 9}])
def test_what_is_not_of_its_type_was_not_told(odd):
    told = remedy_facts("CVE-1", {"risk": odd, "aliases": odd, "title": odd, "published": odd}, "")
    assert (told.automatable, told.technical_impact, told.cvss, told.aliases) == (None, None, None, ())


@pytest.mark.parametrize(
    ("vector", "told"),
    [
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", (8.1, "high")),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N", (5.3, "medium")),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", (9.3, "critical")),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", (0.0, "none")),
        ("CVSS:3.1/AV:N", None),
        ("nonsense", None),
    ],
)
def test_scores_of_vectors(vector, told):
    assert base_score(vector) == told
