"""Every test that the table of traps names is there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs/reference/traps.md").read_text()
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| trap")]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:cases|e2e|promises|unit)/[^`]+)`", PAGE))))
def test_a_named_test_exists(name):
    path, _colons, function = name.partition("::")
    assert (TESTS / path).is_file()
    assert not function or re.search(rf"^def {function}\(", (TESTS / path).read_text(), re.MULTILINE)


def test_every_trap_has_a_test_or_says_why_not():
    assert [row[0] for row in ROWS if "`" not in row[-1] and "not in this release" not in row[1]] == []
