"""What a host says may make a remedy's pattern take for ever, and that must cost nobody else anything."""

import re
import signal
import time
from threading import Thread

import pytest
from tests.unit.verify.asking import word

from stopgap.verify import patterns
from stopgap.verify.errors import CommandTimeout, Surprise

TEXTS = ["a\n  b 1\n", "é b 22", "", "\0b 3\n"]


@pytest.mark.parametrize("pattern", [r"^\s*b (\d+)", "(?i)B", r"\b", "é", "x"])
def test_a_process_of_its_own_finds_the_same(pattern, monkeypatch):
    here = patterns.search(pattern, TEXTS)
    monkeypatch.setattr(patterns, "LONG", 0)
    assert patterns.search(pattern, TEXTS) == here
    assert here == [found and found[0] for found in (re.search(pattern, text, re.MULTILINE) for text in TEXTS)]


def test_a_pattern_that_is_none_is_a_surprise_there_too():
    with pytest.raises(Surprise, match="missing"):
        patterns.search("(", ["x" * patterns.LONG * 2])


def test_p09_a_pattern_that_takes_for_ever_ends_and_keeps_no_other_thread_waiting(monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 1.0)
    pauses, last = [], time.monotonic()

    def ask():
        with pytest.raises(CommandTimeout, match="no end after 1 s on what the host says"):
            patterns.search(r"^\s*keepalive_requests\s+1000\s*;", ["\n" * 100_000])
        pauses.append("ended")

    asking = Thread(target=ask)
    asking.start()
    while asking.is_alive():
        time.sleep(0.01)
        now = time.monotonic()
        pauses.append(now - last)
        last = now
    assert "ended" in pauses
    assert max(one for one in pauses if one != "ended") < 10  # in this process it were a minute


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("command", {"run": ["nginx", "-T"], "stdout_matches": r"^\s*x"}),
        ("command", {"run": ["nginx", "-T"], "stdout_lacks_match": r"^\s*x"}),
        ("file", {"path": "PATH", "matches": r"^\s*x"}),
        ("file", {"path": "PATH", "lacks_match": r"^\s*x"}),
    ],
)
def test_p09_each_check_that_has_a_pattern_is_unknown_then(kind, params, fake_tool, tmp_path, monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.3)
    (tmp_path / "blank").write_text("\n" * 60_000)
    host = fake_tool(nginx=f"cat {tmp_path}/blank")
    asked = {key: str(tmp_path / "blank") if value == "PATH" else value for key, value in params.items()}
    assert word(host, kind, asked) == "unknown"


def test_a_process_that_has_answered_is_asked_again_and_one_that_has_not_is_gone(monkeypatch):
    monkeypatch.setattr(patterns, "LONG", 0)
    started = []
    monkeypatch.setattr(patterns, "_idle", patterns.deque())
    start = patterns.subprocess.Popen
    monkeypatch.setattr(
        patterns.subprocess, "Popen", lambda *args, **more: started.append(start(*args, **more)) or started[-1]
    )
    for text in ("a\nb", "\nc"):
        assert patterns.search(r"^\w", [text]) == [text.strip()[0]]
    assert len(started) == 1
    monkeypatch.setattr(patterns, "SECONDS", 0.2)
    with pytest.raises(CommandTimeout):
        patterns.search(r"^\s*x", ["\n" * 60_000])
    assert started[0].returncode == -signal.SIGALRM
    monkeypatch.setattr(patterns, "SECONDS", 10.0)
    assert patterns.search("d", ["d"]) == ["d"]
    started[1].kill()
    started[1].wait()
    assert patterns.search("e", ["e"]) == ["e"]
    assert len(started) == 3
    patterns._end_all()
    assert [one.returncode is not None for one in started] == [True, True, True]
