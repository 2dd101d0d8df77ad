"""`stopgap status`, `debt` and `ledger` as a user runs them."""

import fcntl
import json
import os
import pty
import re
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.typed import stopgap
from tests.unit.ledger.makers import START, event, moment, only_sqlite

from stopgap.cli import ledger_view as view
from stopgap.ledger import book, debts, readers
from stopgap.ledger.case import Case
from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.projection import project
from stopgap.ledger.store import open_ledger, writing

LATE = "2026-11-21T13:00:00.000000Z"
APPLIED = {"mitigation": "limits", "entry": "E1", "owner": "ann", "persists": "until_reboot", "expires_at": LATE}
PROVEN = {"phase": "mitigation", "mitigation": "limits"}


@pytest.fixture
def fleet(state):
    told = [
        event(host="web1"),
        event(host="web1", kind="mitigation", verdict="applied", evidence=APPLIED, at=moment(1)),
        event(host="web1", kind="verified", verdict="pass", evidence=PROVEN, at=moment(2)),
        event(host="web1", kind="patch", verdict="refused", reason="nginx: candidate 1 < required 2", at=moment(3)),
        event(host="web2", reason="[red]old[/red]"),
        event(host="web3", kind="mitigation", verdict="applied", evidence={**APPLIED, "entry": "E3"}, at=moment(1)),
        event(host="web3", verdict="patched", evidence={"code": "awaiting_proof"}),
        event(host="web3", kind="verified", verdict="pass", evidence={"phase": "fix"}, at=moment(2)),
    ]
    with writing(open_ledger()) as connection:
        book.record(connection, told)
    return state


def test_an_empty_ledger_says_how_to_begin(state):
    for verb in ("status", "debt"):
        done = stopgap(verb)
        assert done.returncode == 0
        assert "ledger is empty: `stopgap assess" in done.stdout
        assert str(state) in done.stdout or "postgresql://" in done.stdout
    assert json.loads(stopgap("status", "--json").stdout)["cases"] == []
    assert json.loads(stopgap("debt", "--json").stdout)["debt"] == []


@only_sqlite
def test_status_in_plain_lines(fleet):
    lines = stopgap("status").stdout.splitlines()
    assert lines[0].split() == ["host", "remedy", "state", "since", "reason"]
    assert lines[1].split()[:3] == ["web1", "CVE-1", "exposed"]
    assert "EXPIRED mitigation limits ran out" in lines[1]
    assert lines[2].endswith("[red]old[/red]")
    assert lines[-1] == "3 cases: 2 exposed, 1 fixed, 1 expired; debt 1 (1 overdue), orphans 1"


def test_status_filters(fleet):
    assert [one["host"] for one in json.loads(stopgap("status", "--state", "fixed", "--json").stdout)["cases"]] == [
        "web3"
    ]
    assert "No case matches" in stopgap("status", "--host", "nowhere").stdout
    expired = json.loads(stopgap("status", "--state", "exposed", "--json").stdout)["cases"]
    assert [(one["host"], one["flags"]) for one in expired] == [("web1", ["expired"]), ("web2", [])]
    assert json.loads(stopgap("status", "--state", "mitigated", "--json").stdout)["cases"] == []
    assert stopgap("status", "--state", "nonsense").returncode == 1


@only_sqlite
def test_debt_says_what_the_fix_waits_for(fleet):
    done = stopgap("debt")
    row = next(line for line in done.stdout.splitlines() if line.startswith("web1"))
    assert "nginx: candidate 1 < required 2" in row
    assert "limits (until_reboot)" in row
    assert "OVERDUE" in row
    assert "ann" in row
    assert "orphans: in force after their fix" in done.stdout
    told = json.loads(stopgap("debt", "--json").stdout)
    assert [(one["host"], one["entry"], one["overdue"]) for one in told["debt"]] == [("web1", "E1", True)]
    assert [(one["host"], one["entry"]) for one in told["orphans"]] == [("web3", "E3")]


@only_sqlite
@pytest.mark.parametrize(
    ("words", "code"),
    [(["--fail-on", "overdue"], 4), (["--fail-on", "any", "--json"], 4), ([], 0), (["--host", "web2"], 0)],
)
def test_debt_fails_on_what_it_was_told_to(fleet, words, code):
    done = stopgap("debt", *words)
    assert done.returncode == code
    said = ["default/web1 CVE-1 limits: ", "default/web3 CVE-1 limits: "] if code else []
    lines = [line for line in done.stderr.splitlines() if "default/" in line]
    assert [line.startswith(f"stopgap: {told}") for line, told in zip(lines, said, strict=True)] == [True] * len(said)
    assert [line.endswith("overdue after its fix, owner ann") for line in lines] == [False, True][: len(said)]


@only_sqlite
@pytest.mark.parametrize("words", [["debt", "--fail-on", "overdue"], ["status", "--fail-on", "exposed"]])
def test_a_gate_does_not_open_on_a_ledger_that_cannot_know(state, words):
    done = stopgap(*words)
    assert (done.returncode, "there is no ledger: sqlite" in done.stderr) == (3, True)
    with writing(open_ledger()) as connection:
        book.record(connection, [event(host="web1", verdict="not_affected")])
    assert stopgap(*words).returncode == 0
    (state / "spool").mkdir()
    (state / "spool" / "left.jsonl").write_text("{}\n")
    done = stopgap(*words)
    assert (done.returncode, "it has not heard of all: 1 undelivered" in done.stderr) == (3, True)
    with open(state / "spool" / "left.jsonl", "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)  # as a running play does: another process, whose locks are none of ours
        assert subprocess.run([sys.executable, "-m", "stopgap", *words], check=False).returncode == 0


@only_sqlite
@pytest.mark.parametrize("words", [["debt", "--fail-on", "any"], ["status", "--fail-on", "exposed"]])
def test_a_gate_does_not_open_for_what_nobody_ever_asked_about(state, words):
    with writing(open_ledger()) as connection:
        book.record(connection, [event(host="web1", verdict="not_affected")])
    assert stopgap(*words, "--host", "web1", "--estate", "default").returncode == 0
    for named, told in (
        (["--host", "wbe1"], "host wbe1"),
        (["--remedy", "CVE-9", "--host", "web1"], "host web1 and remedy CVE-9"),
        (["--estate", "prod"], "estate prod"),
    ):
        done = stopgap(*words, *named)
        assert (done.returncode, f"but it has no case of {told}\n" in done.stderr) == (3, True)


@only_sqlite
def test_a_gate_does_not_open_on_an_empty_ledger(state):
    open_ledger()
    done = stopgap("debt", "--fail-on", "any")
    assert (done.returncode, "but it has no case at all: sqlite" in done.stderr) == (3, True)


@only_sqlite
@pytest.mark.parametrize("words", [["debt", "--fail-on", "any"], ["status", "--fail-on", "exposed"]])
def test_a_ledger_that_goes_away_before_the_gate_is_told_in_a_sentence(state, monkeypatch, words):
    def gone(_wanted):
        raise LedgerUnavailable("the ledger went away")

    with writing(open_ledger()) as connection:
        book.record(connection, [event(verdict="not_affected")])
    monkeypatch.setattr(readers, "any_case", gone)
    done = stopgap(*words)
    assert (done.returncode, done.stderr) == (1, "stopgap: the ledger went away\n")


@only_sqlite
def test_a_state_that_no_case_is_in_is_known(state):
    with writing(open_ledger()) as connection:
        book.record(connection, [event(host="web1", verdict="not_affected")])
    assert stopgap("status", "--fail-on", "exposed", "--state", "exposed").returncode == 0


@only_sqlite
def test_a_terminal_of_100_columns_shows_a_table(fleet):
    shown = on_a_terminal("status") + on_a_terminal("debt")
    assert "─" in shown
    assert "[red]old[/red]" in shown
    assert max(len(line) for line in plain(shown).splitlines()) <= 100
    assert "nginx: candidate" in plain(shown)


def on_a_terminal(verb, columns=100):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stopgap", verb]
    with subprocess.Popen(
        command, stdout=theirs, env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        while part := read(ours):
            shown += part
        process.wait()
    os.close(ours)
    return shown.decode()


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


def plain(text):
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def test_the_ledger_group(fleet):
    assert stopgap("ledger", "check").stdout.splitlines()[-1] == "every case is what its events say"
    assert stopgap("ledger", "rebuild").stdout == "3 cases rebuilt\n"
    assert "nothing to deliver" in stopgap("ledger", "ingest").stdout


def test_check_as_json(fleet):
    told = json.loads(stopgap("ledger", "check", "--json").stdout)
    assert (told["differences"], told["reads"]) == ([], True)
    with writing(open_ledger()) as connection:
        connection.execute(sa.text("UPDATE cases SET state = 'fixed' WHERE host = 'web1'"))
    done = stopgap("ledger", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["differences"]) == (1, [["default", "web1", "CVE-1"]])
    assert "1 case differs;" in stopgap("ledger", "check").stderr


@only_sqlite
def test_an_undelivered_spool_is_mentioned(fleet):
    (fleet / "spool").mkdir()
    (fleet / "spool" / "x.jsonl").write_text("")
    assert "not in the ledger yet: 1 spool file, of running plays" in stopgap("status").stderr
    assert "1 file delivered" in stopgap("ledger", "ingest").stdout


@only_sqlite
def test_a_broken_ledger_is_one_sentence(state):
    done = stopgap("status", env=os.environ | {"STOPGAP_LEDGER_URL": "nonsense"})
    assert done.returncode == 1
    assert done.stderr.startswith("stopgap: STOPGAP_LEDGER_URL is not a database URL")
    another = stopgap("status", env=os.environ | {"STOPGAP_LEDGER_URL": "mysql://ann:secret@db/x"})
    assert another.stderr == done.stderr


@pytest.mark.parametrize("hostile", ["\x1b[2Jx", "[bold]x[/bold]", "[/]", "a\x00b", "\u202ex", "\x9b31m", "\ud800"])
def test_whatever_is_in_a_row_the_terminal_is_safe(hostile, capsys, monkeypatch):
    for tty in (True, False):
        monkeypatch.setattr("sys.stdout.isatty", lambda tty=tty: tty)
        case = Case("default", hostile, hostile, state=hostile, since=hostile, reason=hostile, flags=(hostile,))
        view.show(view.STATUS_COLUMNS, view.status_rows([case]))
    out = plain(capsys.readouterr().out)  # without the colours that are ours
    assert not set(out) & {"\x1b", "\x00", "\x9b", "\u202e", "\ud800"}
    if hostile.startswith("[bold"):
        assert out.count("[bold]x[/bold]") >= 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (5, "5s"),
        (65, "1m 5s"),
        (60, "1m"),
        (3600, "1h"),
        (3 * 86400 + 4 * 3600 + 5, "3d 4h"),
        (-5, "0s"),
        (None, "-"),
    ],
)
def test_ages(seconds, text):
    assert view.age(seconds) == text


def test_owed_counts_seconds_from_the_host_s_word():
    told = [
        event(),
        event(kind="mitigation", verdict="applied", evidence={**APPLIED, "expires_at": "soon"}, at=moment(10)),
    ]
    (row,) = debts.owed(project(told), START + timedelta(minutes=15))
    assert (row.age, row.expires_at, row.overdue, row.proof_age) == (300, None, False, None)


@only_sqlite
def test_where_a_table_has_no_room_the_sentence_goes_below(fleet):
    shown = plain(on_a_terminal("debt", columns=60))
    assert max(len(line) for line in shown.splitlines()) <= 60
    assert "    nginx: candidate 1 < required 2" in shown
    row = next(line for line in shown.splitlines() if line.startswith("web1"))
    assert row.split()[1:4] == ["CVE-1", "limits", "(until_reboot)"]


@only_sqlite
@pytest.mark.parametrize("evidence", ["garbage", "[1]"])
@pytest.mark.parametrize("words", [("ledger", "check"), ("ledger", "rebuild")])
def test_an_event_that_was_edited_is_a_sentence(fleet, words, evidence):
    with writing(open_ledger()) as connection:
        connection.exec_driver_sql("UPDATE events SET evidence = ? WHERE kind = 'assessed'", (evidence,))
    done = stopgap(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("stopgap: event ")
    assert "`stopgap ledger verify` says what else was" in done.stderr
