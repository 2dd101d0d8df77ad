import resource
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.collection.target import Target

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import file_mode


class TooLong(BaseException):
    """What no `except` of the code under test may see."""


@pytest.fixture
def in_time():
    """A test that would wait for ever, or take all memory, ends."""

    def end(*_):
        raise TooLong

    kept = signal.signal(signal.SIGALRM, end)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    signal.alarm(10)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, limit[1]))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, kept)
    resource.setrlimit(resource.RLIMIT_AS, limit)


@pytest.fixture
def target(monkeypatch, tmp_path):
    """In memory where there is room: these tests fsync thousands of times."""
    monkeypatch.setattr(file_mode, "ADMINDIR", str(tmp_path / "no-dpkg"))
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        Path(folder).chmod(0o755)  # below a closed folder nothing is for everybody
        yield Target(Path(folder))
