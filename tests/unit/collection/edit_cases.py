"""Runs the cases of tests/cases/line and tests/cases/ini_option: an edit, once and twice, predicted, and taken back."""

import os
from pathlib import Path

import pytest
import yaml
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.edits import EDITS, bytes_of, lines_of

CASES = Path(__file__).parents[2] / "cases"
OLD = 1_600_000_000_123_456_789


def cases(kind):
    found = yaml.safe_load((CASES / kind / "edits.yml").read_text())
    return [pytest.param(case, id=name) for name, case in found.items()]


def assert_there_and_back(target, kind, case):
    path = Path(target.path("x.conf"))
    path.write_bytes(case["before"].encode())
    os.utime(path, ns=(OLD, OLD))
    before, wanted = target.tree(), remedy("CVE-1", {"type": kind, "params": {"path": str(path), **case["edit"]}})
    predicted = target.present(wanted, check=True)[0]["changed"]
    assert target.tree() == before
    assert target.present(wanted)[0]["changed"] == predicted == (case["before"] != case["after"])
    assert path.read_bytes().decode() == case["after"]
    assert not target.present(wanted)[0]["changed"]
    assert target.absent(wanted)[0]["state"] == "lifted"
    assert target.tree() == before
    once = EDITS[kind](lines_of(case["before"].encode()), case["edit"])
    assert bytes_of(EDITS[kind](once, case["edit"])) == bytes_of(once)
