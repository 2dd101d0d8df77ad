"""CISA's table, all sixteen rows of it."""

import csv
from itertools import product
from pathlib import Path

import pytest

from stopgap.risk import bod

PUBLISHED = Path(__file__).parents[4] / "shared/data/cisa_bod_26_04.csv"


def test_every_combination_has_a_row():
    assert set(bod.TABLE) == set(product([False, True], repeat=4))


def words(timeline):
    if timeline.days is None:
        return "fix on system upgrade"
    return f"{timeline.days} days" + (" & forensic investigation" if timeline.forensics else "")


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published table is not beside this repository")
def test_the_table_is_the_published_one():
    rows = list(csv.DictReader(PUBLISHED.read_text().splitlines()))
    assert len(rows) == 16
    for row in rows:
        _number, kev, exposed, automatable, impact, wanted = row.values()
        key = (kev == "yes", exposed == "yes", automatable == "yes", impact == "total")
        assert words(bod.TABLE[key]) == wanted, row


@pytest.mark.parametrize("place", range(4))
def test_the_worse_answer_never_gives_more_time(place):
    for key in bod.TABLE:
        worse = (*key[:place], True, *key[place + 1 :])
        assert (bod.TABLE[worse].days or 10**6) <= (bod.TABLE[key].days or 10**6), (key, worse)
        assert bod.TABLE[worse].forensics >= bod.TABLE[key].forensics


def test_a_row_in_words():
    told = bod.row_of(kev=True, exposed=False, automatable=True, total=False)
    assert told == "in KEV, not publicly exposed, automatable, partial technical impact"
