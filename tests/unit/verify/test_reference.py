"""The table of checks in the docs is what the check files say."""

import re

import pytest
from tests.books import TOP

from stopgap.remedy.checks import CHECKS as MODELS
from stopgap.verify.checks import CHECKS
from stopgap.verify.reference import as_text

PAGE = TOP / "docs/reference/checks.md"


def test_the_page_is_up_to_date():
    again = f"python -m stopgap.verify.reference {PAGE.relative_to(TOP)}"
    assert PAGE.read_text() == as_text(PAGE.read_text()), again


def test_a_page_without_a_place_for_it_is_refused():
    with pytest.raises(ValueError, match="no place for the table"):
        as_text("# Checks\n")


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_every_type_a_remedy_can_write_has_its_line_with_all_parameters(kind):
    forms = " ".join(row.form for row in CHECKS[kind].rows)
    assert all(row.form.startswith(f"{kind}:") for row in CHECKS[kind].rows)
    assert bool(forms) == (kind in MODELS)
    if kind in MODELS and kind != "command":  # CMD is explained below the table
        names = [field.alias or key for key, field in MODELS[kind].model_fields.items()]
        assert [name for name in names if not re.search(rf"\b{name}\b", forms)] == []


def test_the_two_sides_know_the_same_types():
    assert {*MODELS, "attestation"} == set(CHECKS)
