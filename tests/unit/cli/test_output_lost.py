"""Commands that only read, where what they say cannot be written: a sentence and exit code 1."""

import os
import subprocess
import sys

import pytest

COMMANDS = [["--help"], ["remedy", "list"], ["remedy", "list", "--json"], ["status"], ["debt", "--json"], ["measures"]]


@pytest.fixture
def stopgap(tmp_path):
    def run(words, redirect, **more):
        command = f'exec "$0" -m stopgap "$@" {redirect}'
        environment = {**os.environ, "STOPGAP_STATE_DIR": str(tmp_path), **more}
        shell = ["sh", "-c", command, sys.executable, *words]
        return subprocess.run(shell, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_disk_behind_the_output_is_told(stopgap, words):
    done = stopgap(words, ">/dev/full")
    assert (done.returncode, done.stderr) == (1, "stopgap: cannot write what was to be told: No space left on device\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_closed_streams_are_no_error(stopgap, words):
    done = stopgap(words, ">&- 2>&-")
    assert done.returncode == 0


def test_a_reader_that_leaves_ends_it_without_a_word(stopgap):
    done = stopgap(["remedy", "list", "--json"], "| head -c 1")
    assert done.stderr == ""


def test_letters_that_the_terminal_lacks_end_nothing(stopgap):
    done = stopgap(["remedy", "test", "--help"], "", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ID|FILE?" in done.stdout
