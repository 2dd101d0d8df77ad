"""The agent's protocol, spoken with real agents on this machine."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stopgap.verify import agent
from stopgap.verify.channel import Channel
from stopgap.verify.errors import CommandTimeout, ConnectionLost, HostUnreachable

HOSTILE = """
import sys
sys.stdout.write("stopgap> "); sys.stdout.flush()
sys.stdin.readline(); sys.stdin.readline()
{}
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def channel(local):
    channel = Channel(local, 10)
    yield channel
    channel.close()


def hostile(code):
    return Channel({"argv": [sys.executable, "-c", HOSTILE.format(code)], "python": "python3"}, 10)


def test_many_commands_go_over_one_connection(channel):
    assert [channel.call(f"exit {n}", "", 5).rc for n in range(5)] == [0, 1, 2, 3, 4]


def test_streams_are_apart_and_binary(channel):
    answer = channel.call(r"printf '\000\377\n'; printf '\342\202' >&2", "", 5)
    assert (answer.stdout, answer.stderr) == (b"\x00\xff\n", b"\xe2\x82")


def test_ten_megabytes_come_back_whole(channel):
    assert channel.call("head -c 10485760 /dev/zero", "", 30).stdout == bytes(10 * 1024 * 1024)
    assert channel.call("echo still here", "", 5).stdout == b"still here\n"


def test_a_flood_is_cut_off_and_the_connection_lives(channel):
    with pytest.raises(OSError, match="too much output"):
        channel.call("cat /dev/zero", "", 60)
    assert channel.call("echo still here", "", 5).stdout == b"still here\n"


def test_standard_input_reaches_the_command_whole_and_is_empty_otherwise(channel):
    text = "é\n" * 200_000
    assert channel.call("cat", text, 30).stdout == text.encode()
    assert channel.call("cat", "", 5).stdout == b""
    assert channel.call("true", text, 5).rc == 0  # not read at all


def test_a_command_that_hangs_is_killed_with_its_children_and_costs_its_timeout_only(channel):
    started = time.monotonic()
    with pytest.raises(CommandTimeout):
        channel.call("echo $$; sleep 321 & sleep 321", "", 0.5)
    assert time.monotonic() - started < 4
    assert channel.call("ps -eo args | grep -c '^[s]leep 321'", "", 5).stdout == b"0\n"


@pytest.mark.parametrize("command", ["sh -c 'exec sleep 322 >/dev/null 2>&1'", "exec >/dev/null 2>&1; sleep 322"])
def test_a_command_that_hangs_with_its_output_closed_costs_its_timeout_only(channel, command):
    started = time.monotonic()
    with pytest.raises(CommandTimeout):
        channel.call(command, "", 0.5)
    assert time.monotonic() - started < 4
    assert channel.call("ps -eo args | grep -c '^[s]leep 322'", "", 5).stdout == b"0\n"


def test_a_command_that_closes_its_output_before_its_end_is_waited_for(channel):
    assert channel.call("echo hello; exec >/dev/null 2>&1; sleep 0.5; exit 3", "", 5) == (3, b"hello\n", b"")


def test_a_command_that_cannot_be_killed_costs_its_timeout_only(local):
    """As one that waits for a file server that is gone: it dies of no signal, and is left to itself."""
    program = agent.program().replace(b"os.killpg(pid, 9)", b"None")
    assert program != agent.program()
    channel = Channel(local, 10)
    channel._outbox[:] = program
    started = time.monotonic()
    with pytest.raises(CommandTimeout):
        channel.call("sleep 6", "", 0.5)
    assert time.monotonic() - started < 4
    assert channel.call("echo still here", "", 5).stdout == b"still here\n"
    channel.close()


def test_a_command_ended_by_a_signal_has_the_shells_exit_code(channel):
    assert channel.call("kill -9 $$", "", 5).rc == 137


def test_commands_speak_english_and_find_the_tools_of_root(channel):
    assert channel.call("echo $LC_ALL; case :$PATH: in *:/usr/sbin:*) echo yes;; esac", "", 5).stdout == b"C\nyes\n"


def test_an_agent_that_dies_amid_a_command_is_a_lost_connection(channel):
    with pytest.raises(ConnectionLost, match="exit -9"):
        channel.call(f"kill -9 {channel._process.pid}; sleep 5", "", 10)


def test_no_agent_says_what_the_far_end_said():
    with pytest.raises(HostUnreachable, match=r"no such luck; exit 255"):
        Channel({"argv": ["/bin/sh", "-c", "echo no such luck >&2; exit 255"]}, 10)
    with pytest.raises(HostUnreachable, match="no-such-program: No such file"):
        Channel({"argv": ["no-such-program"]}, 10)
    with pytest.raises(HostUnreachable, match=r"not found; exit 127"):
        Channel({"argv": ["/bin/sh", "-c", "/no/python3 -c 1"]}, 10)


def test_a_far_end_that_is_gone_is_told_while_its_errors_are_held_open():
    """As ssh's master in the background does: before OpenSSH 8.5, and with -v."""
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match="boom; exit 3"):
        Channel({"argv": ["/bin/sh", "-c", "sleep 5 >&2 & echo boom >&2; exit 3"], "python": "python3"}, 10)
    assert time.monotonic() - began < 4


def test_a_silent_far_end_costs_the_timeout():
    started = time.monotonic()
    with pytest.raises(HostUnreachable, match=r"no answer in 0\.3 s"):
        Channel({"argv": ["sleep", "9"]}, 0.3)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("prompt", [None, "(?i)(?:password|passwort)\\s*:"])
def test_p09_a_login_that_never_ends_is_given_up(prompt):
    spec = {"argv": ["cat", "/dev/zero"], "become_password": "x", "become_prompt": prompt}
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match="its login says more than anybody would read"):
        Channel(spec, 20)
    assert time.monotonic() - began < 15


def test_what_a_login_prints_before_the_agent_is_skipped(local):
    argv = ["/bin/sh", "-c", 'echo "Welcome, 12 0 0"; exec "$@"', "sh", *local["argv"]]
    channel = Channel({**local, "argv": argv}, 10)
    assert channel.call("echo hello", "", 5).stdout == b"hello\n"
    channel.close()


@pytest.mark.parametrize(
    "code",
    [
        'print("nonsense")',
        'print("done 0 99999999999999999999 0")',
        'print("done -1 0 0")',
        'print("done 0 0")',
        'sys.stdout.buffer.write(b"\\xff" * 1000 + b"\\n")',
        "sys.exit()",
    ],
)
def test_p09_what_is_no_agents_answer_ends_the_connection(code):
    channel = hostile(code)
    with pytest.raises(ConnectionLost):
        channel.call("true", "", 5)
    channel.close()


def asks(times, exit_code=0):
    """Behaves as sudo -S: asks on stderr, takes one line for each question."""
    ask = "printf 'secret please: ' >&2; read answer; "
    return f'{ask * times} [ "$answer" = sesame ] || {{ echo sorry >&2; exit {exit_code or 1}; }}; exec "$@"'


def become(local, times, password):
    argv = ["/bin/sh", "-c", asks(times), "sh", *local["argv"]]
    return {**local, "argv": argv, "become_prompt": "secret please: ", "become_password": password}


def test_a_become_password_is_given_when_asked_for_and_only_then(local):
    channel = Channel(become(local, 1, "sesame"), 10)
    assert channel.call("cat", "x", 5).stdout == b"x"
    channel.close()
    channel = Channel(become(local, 0, "sesame") | {"argv": local["argv"]}, 10)
    assert channel.call("echo hello", "", 5).stdout == b"hello\n"
    channel.close()


def test_a_refused_become_password_is_not_followed_by_other_secrets(local):
    with pytest.raises(HostUnreachable, match="was refused"):
        Channel(become(local, 2, "wrong"), 10)
    with pytest.raises(HostUnreachable, match="none is given"):
        Channel(become(local, 1, None), 10)


@pytest.mark.parametrize(
    "said",
    [
        "Forgotten your secret please: call 4711\\n",  # a login that talks of passwords
        "dumb terminal, ",  # and one that does not end its line
        "debug1: client_input_channel_req\\n",
    ],
)
def test_what_a_login_says_of_passwords_is_not_yet_asking_for_one(local, said):
    spec = become(local, 1, "sesame")
    spec["argv"][2] = f"printf '{said}' >&2; {spec['argv'][2]}"
    channel = Channel(spec, 10)
    assert channel.call("cat", "x", 5).stdout == b"x"
    channel.close()


def test_a_prompt_is_answered_with_ssh_telling_its_own_beside_it(local):
    spec = become(local, 1, "sesame")
    spec["argv"][2] = spec["argv"][2].replace("read", "printf 'debug2: channel 0: rcvd ext data 15\\n' >&2; read", 1)
    channel = Channel(spec, 10)
    assert channel.call("cat", "x", 5).stdout == b"x"
    channel.close()


def test_closing_ends_the_agent(local):
    channel = Channel(local, 10)
    channel.call("true", "", 5)
    channel.close()
    assert channel._process.returncode == 0


def test_a_command_ends_with_the_connection_it_was_asked_over(channel):
    channel._outbox += agent.request("sh -c 'echo $$ >&2; sleep 323'", "", 60)
    end = time.monotonic() + 10
    while b"sleep 323" not in subprocess.check_output(["ps", "-eo", "args"]):
        assert time.monotonic() < end
        channel._pump(lambda: not channel._outbox, 1)
    channel.hang_up()
    channel._process.wait(3)
    assert b"sleep 323" not in subprocess.check_output(["ps", "-eo", "args"])


def test_the_agent_ends_when_its_controller_is_killed(local, tmp_path):
    code = f"""
import time
from stopgap.verify.channel import Channel
channel = Channel({local!r}, 10)
print(channel._process.pid, flush=True)
time.sleep(60)
"""
    controller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(controller.stdout.readline())
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    controller.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_bootstrap_needs_no_quoting_that_shells_disagree_on():
    assert not set(agent.BOOTSTRAP) & set("'\\\n!$`")
    assert agent.PROMPT.decode() in agent.BOOTSTRAP


def runs_agent(python):
    test = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 6))"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


def pythons():
    """This one, and what else of Python the machine has."""
    named = [path for minor in range(6, 15) if (path := shutil.which(f"python3.{minor}"))]
    roots = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python3")
    return [sys.executable, *filter(runs_agent, sorted({*named, *map(str, roots)}))]


@pytest.mark.parametrize("python", pythons())
def test_every_python_a_host_may_have_runs_the_agent(python):
    channel = Channel({"argv": [python, agent.FLAGS, "-c", agent.BOOTSTRAP], "python": python}, 20)
    assert channel.call("printf é; exit 3", "é", 5) == (3, "é".encode(), b"")
    assert channel.call("cat - /no/such", "é", 5)[:2] == (1, "é".encode())  # without a shell, where it can
    channel.close()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat -- /etc/nginx/nginx.conf", ("cat", "--", "/etc/nginx/nginx.conf")),
        ("dpkg-query -W -f '${Package}\\n' -- nginx", ("dpkg-query", "-W", "-f", "${Package}\\n", "--", "nginx")),
        ("ls *.conf", None),
        ("ls ~", None),
        ("cat $HOME/x", None),
        ("true; false", None),
        ("cat x | wc", None),
        ("cat < x", None),
        ("cat\nls", None),
        ("cat 'x", None),
        ("LANG=C cat", None),
        ("cat  x", None),  # what a shell does with it is the same, and what this is for is not worth a doubt
        ("echo hello", None),
        ("test -d /run", None),
        ("", None),
    ],
)
def test_only_what_a_shell_would_merely_split_goes_without_one(command, words):
    assert agent.plain_words(command) == words


def without_numbers(pipes):
    return re.sub(rb"pipe:\[\d+\]", b"pipe", pipes)


@pytest.mark.parametrize(
    "command",
    [
        "no-such-command -x",
        "/etc/passwd -x",
        "/etc",
        "command -v cat",
        "exit 3",
        "readlink /proc/self/fd/0 /proc/self/fd/1",
        "printenv LC_ALL PATH",
        "cat -- /no/such",
        "head -c 3 -- /etc/../etc/passwd",
        "ls -d 'a b' '*' '$HOME' -- ~",
        "sysctl -n kernel.ostype",
    ],
)
def test_a_command_answers_the_same_with_and_without_a_shell(channel, monkeypatch, command):
    alone = channel.call(command, "", 5)
    monkeypatch.setattr(agent, "plain_words", lambda command: None)
    with_shell = channel.call(command, "", 5)
    assert alone.rc == with_shell.rc
    assert without_numbers(alone.stdout) == without_numbers(with_shell.stdout)
    assert alone.stderr == with_shell.stderr


def test_a_script_without_an_interpreter_line_is_the_shells(channel, tmp_path):
    script = tmp_path / "script"
    script.write_text("echo hello; exit 4\n")
    script.chmod(0o755)
    assert channel.call(str(script), "", 5) == (4, b"hello\n", b"")


def test_nothing_is_imported_from_the_folder_where_a_login_begins(local, tmp_path, monkeypatch):
    for name in ("select", "subprocess", "time", "os", "encodings"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'taken')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    channel = Channel(local, 10)
    assert channel.call("true", "", 5).rc == 0
    channel.close()
    assert not (tmp_path / "taken").exists()
