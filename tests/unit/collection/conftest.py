from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.collection.target import Target

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode


@pytest.fixture
def target(monkeypatch, tmp_path):
    """In memory where there is room: these tests fsync thousands of times."""
    monkeypatch.setattr(file_mode, "ADMINDIR", str(tmp_path / "no-dpkg"))
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        Path(folder).chmod(0o755)  # below a closed folder nothing is for everybody
        yield Target(Path(folder))
