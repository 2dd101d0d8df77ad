"""The package, run from the controller's plugins."""

import pytest

from ansible_collections.stopgap.remediation.plugins.plugin_utils.package import run_package
from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import deliver


@pytest.fixture
def tripwire(tmp_path, monkeypatch):
    """A current folder with files that are named as modules of Python's own, as /tmp may have them from anybody."""
    monkeypatch.chdir(tmp_path)
    for name in ("uuid", "shutil", "tempfile"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\n")
    return tmp_path / "ran"


def test_p09_nothing_of_the_current_folder_is_run(tripwire):
    assert run_package("remedy", ["resolve", "--", "CVE-2023-44487"])["remedies"][0]["id"] == "CVE-2023-44487"
    assert not tripwire.exists()


def test_p09_nothing_of_the_current_folder_is_run_by_a_delivery(tripwire, tmp_path):
    assert deliver(str(tmp_path / "state/spool"), 60) == (True, "")
    assert not tripwire.exists()
