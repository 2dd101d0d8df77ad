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
        ({"option": "[x]", "value": "1"}, "is not one option with one value"),
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


@pytest.mark.parametrize("before", ["[www]\nuser = x\n", "[www]\nphp_value[a] = 1\n\nphp_admin_value[a] = 0\n[b]\n"])
def test_ini_option_with_a_key_in_brackets_is_an_option_not_a_section(target, before):
    file = Path(target.path("x.ini"))
    file.write_text(before)
    params = {"path": str(file), "section": "www", "option": "php_admin_value[a]", "value": "/srv"}
    wanted = remedy("CVE-1", {"type": "ini_option", "params": params})
    assert target.present(wanted)[0]["state"] == "applied"
    assert file.read_text().count("php_admin_value[a] = /srv\n") == 1
    assert target.present(wanted)[0]["changed"] is False
    assert target.absent(wanted)[0]["state"] == "lifted"
    assert file.read_text() == before
