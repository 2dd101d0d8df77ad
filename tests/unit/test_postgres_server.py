"""The tests' own PostgreSQL server: it crashes and comes back when told to, and never outlives the tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = "from tests.postgres import Server; s = Server(); s.start(); print(s.pid, s.folder, flush=True); input()"


def test_committed_rows_survive_a_crash(postgres):
    database = postgres.create_database()
    postgres.sql("CREATE TABLE kept AS SELECT 1 AS one", database=database)
    postgres.restart("immediate")
    assert postgres.sql("SELECT one FROM kept", database=database) == [(1,)]
    os.kill(postgres.pid, signal.SIGKILL)
    postgres.restart()
    assert postgres.sql("SELECT one FROM kept", database=database) == [(1,)]
    postgres.drop_database(database)


def test_it_is_gone_when_the_tests_were_killed():
    command = [sys.executable, "-c", STARTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        pid, folder = tests.stdout.readline().split()
        assert Path(f"/proc/{pid}").exists()
        tests.kill()
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() or Path(folder).exists():
        assert time.monotonic() < until, "the server is still there"
        time.sleep(0.02)
