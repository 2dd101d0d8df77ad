"""Options of ini files: cases in tests/cases/ini_option. What goes wrong with any edit is in test_action_line.py."""

from pathlib import Path

import pytest
from tests.unit.collection.edit_cases import assert_there_and_back, cases
from tests.unit.collection.target import remedy


@pytest.mark.parametrize("case", cases("ini_option"))
def test_ini_option_and_back(target, case):
    assert_there_and_back(target, "ini_option", case)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"option": "x"}, "give `value`, or `absent`"),
        ({"option": "x", "value": "1", "absent": True}, "give `value`, or `absent`"),
        ({"option": "x=y", "value": "1"}, "is not one option with one value"),
        ({"option": "x", "value": "1\n2"}, "is not one option with one value"),
    ],
    ids=str,
)
def test_ini_option_that_makes_no_sense(target, params, said):
    Path(target.path("x.ini")).write_text("[a]\n")
    told = target.present(
        remedy("CVE-1", {"type": "ini_option", "params": {"path": target.path("x.ini"), "section": "a", **params}})
    )[0]
    assert told["state"] == "failed"
    assert said in told["reason"]
    assert Path(target.path("x.ini")).read_text() == "[a]\n"
