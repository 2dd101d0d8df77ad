"""What a killed process left in its private folder is removed by the next one; what is in use is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stopgap.engine.memory import YOUNG, PrivateFolder

HOLD = "from stopgap.engine.memory import PrivateFolder as P; f = P(); print(f.name, flush=True); input()"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other():
    """A process that holds a folder, made long ago: (process, folder)."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = Path(process.stdout.readline().strip())
    age(folder)
    yield process, folder
    process.kill()
    process.communicate()


def age(folder):
    long_ago = folder.stat().st_mtime - 2 * YOUNG
    os.utime(folder, (long_ago, long_ago))


def test_it_is_closed_to_others_and_gone_afterwards(place):
    with PrivateFolder() as name:
        assert Path(name).stat().st_mode & 0o777 == 0o700
        assert Path(name).parent == place
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed(other):
    process, folder = other
    process.kill()
    process.wait()
    with PrivateFolder():
        assert not folder.exists()


def test_what_is_in_use_or_young_or_not_ours_stays(other, place):
    young, file, link = place / "stopgap-young", place / "stopgap-file", place / "stopgap-link"
    strange = place / "other-folder"
    young.mkdir()
    strange.mkdir()
    file.touch()
    link.symlink_to(strange)
    age(file)
    age(strange)
    with PrivateFolder():
        assert other[1].exists()
        assert all(one.exists() for one in (young, file, link, strange))
