"""Every remedy of the catalogue through its contract on a lab host. What cannot run there says so, and why.

STOPGAP_CONTRACT_REPORT=docs/reference/catalogue keeps the results and makes the catalogue's table of them.
"""

import os
from pathlib import Path

import pytest

from stopgap.collection import collection_root
from stopgap.contract.table import save, write_table
from stopgap.contract.trial import try_remedy
from stopgap.remedy import catalogue

pytestmark = [pytest.mark.lab, pytest.mark.contract]
CATALOGUE = list(catalogue([collection_root() / "remedies"]))
KEPT = os.environ.get("STOPGAP_CONTRACT_REPORT")


@pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: file.stem)
def test_a_remedy_keeps_its_contract(file):
    report = try_remedy(file)
    if KEPT:
        save(Path(KEPT), [report])
        write_table(Path(KEPT), CATALOGUE)
    failed = [f"{step.name} ({step.mitigation}): {step.reason}" for step in report.steps if step.result == "failed"]
    assert not failed, f"{report.ground}: " + "\n".join(failed)
    assert all(step.reason.startswith("not run here: ") for step in report.steps if step.result == "not run")
