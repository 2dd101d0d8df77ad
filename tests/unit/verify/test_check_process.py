import os
import subprocess
import sys

import pytest
from tests.unit.verify.asking import ask, word

from stopgap.verify.backend import open_host
from stopgap.verify.checks.on_host import running


@pytest.fixture
def sleeper():
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, "--mark=q7"], stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_a_real_process_by_its_name_user_and_arguments(host, sleeper):
    with open(f"/proc/{sleeper.pid}/comm") as file:
        name = file.read().strip()
    params = {"name": name, "args_match": "--mark=q7$", "running": True}
    verdict, reason = ask(host, "process", params)
    assert (verdict, reason) == ("pass", f"1 run: {name}[{sleeper.pid}]")
    assert word(host, "process", {**params, "count": 1}) == "pass"
    assert ask(host, "process", {**params, "count": 2}) == ("fail", f"{reason}, not 2")
    assert word(host, "process", {**params, "running": False}) == "fail"
    assert ask(host, "process", {**params, "args_match": "--mark=q8"}) == ("fail", "none runs")
    assert word(host, "process", {**params, "name": "sleep", "running": False}) == "pass"
    sleeper.kill()  # and not waited for: a zombie runs nothing
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert word(host, "process", {**params, "running": False}) == "pass"


def test_the_users_effective_name_counts(host, sleeper):
    import pwd

    own = pwd.getpwuid(os.geteuid()).pw_name
    other = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != os.geteuid())
    for user, verdict in ((own, "pass"), (other, "fail")):
        assert word(host, "process", {"user": user, "args_match": "--mark=q7", "running": True}) == verdict


def test_what_asks_is_not_counted(local):
    """Neither the agent nor the shell and the program it starts; an agent that somebody else has here may be."""
    mark = f"mark-{os.getpid()}"
    python = f"/usr/bin/env MARK={mark} {sys.executable} -Wignore:{mark}"
    host = open_host("marked", {"argv": [*local["argv"], mark], "python": python}, 10)
    assert word(host, "command", {"run": ["ps", "-eo", "args"], "stdout_has": mark}) == "pass"
    assert ask(host, "process", {"args_match": mark, "running": False}) == ("pass", "none runs")
    host.backend.close()


@pytest.mark.parametrize("params", [{"user": "no-such"}, {"name": "systemd-journald"}, {"args_match": "("}], ids=str)
def test_p04_what_could_match_nothing_is_unknown(host, params):
    assert word(host, "process", {**params, "running": False}) == "unknown"


def put(proc, pid, name, state="S", uid=0):
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} ({name}) {state} 1 {pid} {pid} 0")
    (folder / "status").write_text(f"Name:\t{name}\nUid:\t7\t{uid}\t7\t7\n")
    (folder / "cmdline").write_bytes(b"/x/a b\0--c\0")
    (folder / "comm").write_text(f"{name}\n")


def test_odd_names(tmp_path):
    put(tmp_path, 1, "init")
    put(tmp_path, 2, "a) R (b", uid=0)
    put(tmp_path, 3, "dead", state="Z")
    assert running.running(None, "root", str(tmp_path)) == [
        {"pid": 1, "name": "init", "args": "/x/a b --c"},
        {"pid": 2, "name": "a) R (b", "args": "/x/a b --c"},
    ]


def test_p04_a_proc_that_hides_processes_tells_nothing(tmp_path):
    put(tmp_path, 2, "own")  # hidepid=2: others are not even listed
    with pytest.raises(running.Unreadable, match="does not show every process"):
        running.running("x", None, str(tmp_path))
    put(tmp_path, 1, "init")
    (tmp_path / "1/status").unlink()
    (tmp_path / "1/status").mkdir()  # as unreadable as hidepid=1 makes it, for root too
    with pytest.raises(running.Unreadable, match="cannot read process 1"):
        running.running("x", None, str(tmp_path))
