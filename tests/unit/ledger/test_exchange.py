"""Export, import, merge: two ledgers that heard of each other hold the same, and nothing but honest files comes in."""

import io
import itertools
import json
import os
import random
import signal
import stat
import subprocess
import sys

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import typed
from tests.unit.ledger.makers import RUN, event, event_id, moment, only_sqlite, raw_event
from tests.unit.ledger.test_book import an_event

from stopgap.ledger import book
from stopgap.ledger.errors import BadExport, LedgerBroken
from stopgap.ledger.events import parse_event
from stopgap.ledger.exchange import bring_in, export
from stopgap.ledger.heads import whole_file
from stopgap.ledger.integrity import verify
from stopgap.ledger.store import open_ledger, reading, writing
from stopgap.ledger.tables import cases, chains, events, machines, metadata, pen

WRITERS = [f"0a1b2c3d-0000-4000-8000-00000000000{n}" for n in range(5)]


class Books:
    """A ledger in memory."""

    def __init__(self, writer=WRITERS[0], told=()):
        self.engine = sa.create_engine("sqlite://")
        metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            connection.execute(sa.insert(pen).values(id=1, taken_at=moment(0), writer=writer))
        self.record(told)

    def record(self, told):
        with self.engine.begin() as connection:
            book.record(connection, told)
        return self

    def export(self):
        lines = []
        with self.engine.begin() as connection:
            export(connection, lines.append)
        return b"".join(lines)

    def take(self, *exports):
        for one in exports:
            with self.engine.begin() as connection:
                self.taken = bring_in(connection, io.BytesIO(one))
        return self

    def copy(self, writer):
        return Books(writer).take(self.export())

    def rows(self, table):
        with self.engine.begin() as connection:
            return sorted(map(tuple, connection.execute(sa.select(table))), key=repr)

    def state(self):
        """All of it that a merge promises to be the same; and that it is in order."""
        with self.engine.begin() as connection:
            assert verify(connection).findings == []
            assert book.differences(connection) == []
        return [self.export().split(b"\n", 1)[1], *(self.rows(table) for table in (cases, chains, machines))]


# --- merging -------------------------------------------------------------------------------------------------------

KNOWN = {"title": "x", "aliases": [], "fix": True, "digest": "d"}


@st.composite
def told_to(draw, ledgers):
    """Events for each of so many ledgers: own ones, ones that all have, and ones each heard of at its own time."""
    shares = [[] for _ in range(ledgers)]
    for one in draw(st.lists(an_event(), max_size=7)):
        for share in draw(st.sets(st.sampled_from(range(ledgers)), min_size=1)):
            shares[share].append(one)
    for number in range(draw(st.integers(0, 2))):
        id_ = event_id(5_000_000 + number)
        step = draw(st.integers(0, 2))
        for share in shares:
            evidence = {"entry": "E1", "mitigation": "m", "step": step, "heard_at": moment(draw(st.integers(0, 50)))}
            share.append(event(id=id_, kind="mitigation", verdict="applied", evidence=evidence))
    for share in shares:
        known = {"id": event_id(6_000_000), "kind": "remedy", "verdict": "known", "estate": "", "host": ""}
        share.append(event(**known, evidence=KNOWN, at=moment(draw(st.integers(0, 50)))))
        if draw(st.booleans()):
            until = {"until": moment(draw(st.integers(60, 90)))}
            share.append(
                event(kind="accepted", verdict="accepted", evidence=until, at=moment(draw(st.integers(0, 50))))
            )
        if draw(st.booleans()):
            ahead = {"run": RUN, "until": moment(draw(st.integers(0, 50))), "seconds": 90}
            share.append(event(kind="clock", verdict="ahead", estate="", host="", remedy="", evidence=ahead))
        random.Random(draw(st.integers(0, 99))).shuffle(share)  # noqa: S311
    return shares


RELAXED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(told=told_to(2))
def test_two_laptops_merged_in_either_order_are_the_same_ledger(told):
    left, right = Books(WRITERS[0], told[0]), Books(WRITERS[1], told[1])
    ours, theirs = left.export(), right.export()
    both = [left.take(theirs), right.take(ours), Books(WRITERS[2]).take(ours, theirs), Books().take(theirs, ours)]
    assert [one.taken.forks for one in both] == [[]] * 4
    states = [one.state() for one in both]
    assert states == [states[0]] * 4
    left.take(ours, theirs, right.export())  # again, and older ones: nothing is new
    assert left.taken.new == 0
    assert left.state() == states[0]


@RELAXED
@given(told=told_to(3), seed=st.integers(0, 99))
def test_three_in_any_order_and_a_merge_of_merges(told, seed):
    exports = [Books(WRITERS[n], share).export() for n, share in enumerate(told)]
    orders = random.Random(seed).sample(list(itertools.permutations(exports)), 2)  # noqa: S311
    merged = [Books(WRITERS[3]).take(*order).state() for order in orders]
    pairs = [Books(WRITERS[3]).take(exports[a], exports[b]).export() for a, b in ((0, 1), (1, 2))]
    merged.append(Books(WRITERS[4]).take(*pairs).state())
    assert merged == [merged[0]] * 3


def test_a_merged_ledger_goes_on():
    left, right = Books(WRITERS[0], [event()]), Books(WRITERS[1], [event(host="b")])
    left.take(right.export()).record([event(host="b", at=moment(3))])
    right.record([event(host="b", at=moment(2))]).take(left.export())
    left.take(right.export())
    assert left.state() == right.state()
    assert len(left.rows(chains)) == 3  # web1 and b of the left, b of the right


def test_an_older_backup_takes_back_its_own_future():
    backup = Books(WRITERS[0], [event()])
    now = Books(WRITERS[0]).take(backup.export()).record([event(at=moment(1))])
    assert now.taken.forks == []
    backup.take(now.export())
    assert backup.taken.forks == []
    assert backup.record([event(at=moment(2))]).take(now.export()).taken.new == 0
    assert now.take(backup.export()).taken.forks == []
    assert now.state() == backup.state()


def test_what_was_removed_comes_back_by_import():
    whole = Books(WRITERS[0], [event(at=moment(n)) for n in range(4)])
    backup = whole.export()
    with whole.engine.begin() as connection:
        connection.execute(sa.delete(events).where(events.c.seq.in_([2, 4])))
    assert whole.take(backup).taken.new == 2
    assert whole.taken.forks == []
    assert whole.export() == backup


def test_a_copied_ledger_that_was_written_to_is_told_and_kept_and_parted():
    left = Books(WRITERS[0], [event()])
    right = Books(WRITERS[0]).take(left.export())
    left.record([event(at=moment(1)), event(at=moment(2))])
    right.record([event(at=moment(3))])
    ours, theirs = left.export(), right.export()
    left.take(theirs)
    right.take(ours)
    for one in (left, right):
        assert [(fork.kind, fork.chain.host) for fork in one.taken.forks] == [("fork", "web1")]
        assert one.rows(pen)[0][2] != WRITERS[0]  # they write under names of their own from now on
        with one.engine.begin() as connection:
            assert [(told.kind, told.seq) for told in verify(connection).forks] == [("fork", 2)]
    assert left.state() == right.state()
    assert json.loads(left.export().splitlines()[-1])["heads"] == 2
    left.record([event(at=moment(4))])
    right.record([event(at=moment(5))])
    right.take(left.export())
    left.take(right.export())
    assert left.state() == right.state()
    with left.engine.begin() as connection:
        assert [(told.kind, told.seq) for told in verify(connection).forks] == [("fork", 2)]


def test_what_two_writers_said_can_be_told_once_more():
    """After a merge the ledger holds one event in the words of both; the next sync tells it again."""
    told = event()
    merged = Books(WRITERS[0], [told]).take(Books(WRITERS[1], [told]).export())
    before = merged.state()
    assert len(merged.rows(events)) == 2
    assert merged.record([told]).state() == before


def test_a_ledger_whose_clock_was_ahead_does_not_outweigh_what_is_heard_after_its_import(monkeypatch):
    """A laptop a year ahead, as its database is: nobody but the ledger that takes its export can notice."""
    year = 365 * 24 * 60
    proof = {"kind": "verified", "verdict": "pass", "evidence": {"phase": "fix"}}
    monkeypatch.setattr(book, "_this_moment", lambda: moment(year))
    ahead = Books(WRITERS[1], [event(at=moment(year), **proof)]).export()
    monkeypatch.setattr(book, "_this_moment", lambda: moment(10))
    ledger = Books(WRITERS[0], [event(at=moment(5))]).take(ahead)
    assert ledger.taken.clocks == [
        f"the clock of run {RUN} was 31535400 s ahead: what it said counts as of {moment(10)}"
    ]
    ledger.record([event(at=moment(11), run=WRITERS[2], revision=1)])
    ledger.state()
    with ledger.engine.begin() as connection:
        assert [one.state for one in book.read_cases(connection)] == ["exposed"]
    ledger.take(ahead)
    assert ledger.taken.clocks == []


# --- files that are refused ----------------------------------------------------------------------------------------


def exported():
    told = [event(host=host, at=moment(n)) for host in ("a", "b") for n in range(3)]
    return Books(WRITERS[0], told).export()


def with_line(number, change):
    """The export with one line (from 1) changed: `change` gets its object."""
    lines = exported().splitlines()
    raw = json.loads(lines[number - 1])
    changed = change(raw)
    lines[number - 1] = changed if isinstance(changed, bytes) else json.dumps(changed or raw).encode()
    return b"\n".join(lines) + b"\n"


def without_line(*numbers):
    lines = exported().splitlines(keepends=True)
    return b"".join(line for number, line in enumerate(lines, start=1) if number not in numbers)


def swapped(one, other):
    lines = exported().splitlines(keepends=True)
    lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]
    return b"".join(lines)


def fields(**changes):
    return lambda raw: {**raw, **changes}


REFUSED = {
    "empty": (lambda: b"", "line 1: the file ends here"),
    "no export": (lambda: b'{"id": 1}\n', "line 1: this is no export of a ledger"),
    "a list": (lambda: b"[]\n", "line 1: not a JSON object"),
    "another format": (lambda: with_line(1, fields(stopgap_ledger=2)), "line 1: this export has another format"),
    "more in the first line": (lambda: with_line(1, fields(more=1)), "line 1: this export has another format"),
    "other counts": (lambda: with_line(1, fields(events=7)), "line 8: its first and last line promise other"),
    "other chains": (lambda: with_line(1, fields(chains=1)), "line 8: its first and last line promise other"),
    "cut behind a line": (lambda: without_line(8), "line 8: the file ends here, without its last line: it was cut"),
    "cut in a line": (lambda: exported()[:-300], "it was cut"),
    "cut in the last line": (lambda: exported()[:-2], "line 8: the file ends here"),
    "a line gone": (lambda: without_line(3), "line 3: the chain is broken (default/a"),
    "the end of a chain gone": (lambda: without_line(4), "line 7: its first and last line promise other"),
    "a chain gone": (lambda: without_line(2, 3, 4), "line 5: its first and last line promise other"),
    "two lines swapped": (lambda: swapped(2, 3), "line 2: the chain is broken"),
    "chains swapped": (lambda: swapped(4, 5), "out of order"),
    "a line twice": (lambda: with_line(3, lambda raw: json.dumps(raw).encode() + b"\n" + json.dumps(raw).encode()), "line 4: out of order"),  # noqa: E501
    "more at the end": (lambda: exported() + b"{}\n", "line 8: there is more behind the last line"),
    "reason edited": (lambda: with_line(3, fields(reason="x")), "line 3: the chain is broken"),
    "evidence edited": (lambda: with_line(3, fields(evidence={})), "line 3: the chain is broken"),
    "evidence no object": (lambda: with_line(3, fields(evidence=[])), "line 3: evidence is not an object"),
    "hash edited": (lambda: with_line(3, fields(hash="f" * 64)), "the chain is broken"),
    "hash no hash": (lambda: with_line(3, fields(hash="x")), "line 3: hash is not well formed"),
    "writer no writer": (lambda: with_line(3, fields(writer="../x")), "line 3: writer is not well formed"),
    "recorded never": (lambda: with_line(3, fields(recorded_at="2026-02-30T00:00:00.000000Z")), "line 3: recorded_at is not"),  # noqa: E501
    "place no number": (lambda: with_line(3, fields(seq="2")), "line 3: seq is not a place"),
    "place true": (lambda: with_line(2, fields(seq=True)), "line 2: seq is not a place"),
    "place huge": (lambda: with_line(3, fields(seq=10**12)), "line 3: seq is not a place"),
    "a key more": (lambda: with_line(3, fields(more=1)), "line 3: keys missing or unknown: more"),
    "no event": (lambda: with_line(3, lambda _raw: b"rm -rf /"), "line 3: not JSON"),
    "no text": (lambda: with_line(3, lambda _raw: b"\xff\xfe"), "line 3: not JSON"),
    "not clean": (lambda: with_line(3, fields(reason="\x1b[2J")), "line 3: its text is not as a ledger keeps it"),
    "evidence not clean": (lambda: with_line(3, fields(evidence={"a": "\u202e"})), "line 3: its text is not as"),
    "an unknown kind": (lambda: with_line(3, fields(kind="pwned")), "line 3: kind 'pwned'"),
    "deep": (lambda: with_line(3, lambda _raw: b"[" * 100_000), "line 3: nested too deeply"),
    "long": (lambda: with_line(3, lambda _raw: b'"' + b"x" * 600_000 + b'"'), "line 3: longer than"),
    "other heads": (lambda: with_line(8, fields(digest="0" * 64)), "line 8: its first and last line promise other"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_whole_and_honest_is_refused_by_its_line(name):
    make, why = REFUSED[name]
    mine = Books(WRITERS[1], [event(host="mine")])
    before = mine.state()
    with pytest.raises(BadExport) as refused:
        mine.take(make())
    assert why in str(refused.value)
    assert str(refused.value).endswith("nothing was imported")
    assert str(refused.value).isprintable()
    assert mine.state() == before


def test_an_honest_file_is_not():
    assert Books(WRITERS[1]).take(exported(), with_line(1, fields())).taken.events == 6


def test_a_head_that_was_edited_is_a_sentence_of_whoever_writes():
    ledger = Books(WRITERS[0], [event()])
    export_ = ledger.export()
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE chains SET seq = 'x'"))
    for write in (lambda: ledger.record([event(at=moment(1))]), lambda: ledger.take(export_)):
        with pytest.raises(LedgerBroken, match="the head of default/web1 was edited: `stopgap ledger verify` says"):
            write()


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE events SET reason = char(27) || '[2J' WHERE seq = 2",
        "UPDATE events SET host = x'ff' WHERE seq = 2",
        "UPDATE chains SET host = x'ff'",
    ],
)
def test_a_broken_ledger_is_not_exported(edit):
    mine = Books(WRITERS[0], [event(at=moment(n)) for n in range(3)])
    with mine.engine.begin() as connection:
        connection.execute(sa.text(edit))
    with pytest.raises(LedgerBroken, match="stopgap ledger verify"):
        mine.export()


def test_all_that_ingest_takes_survives_the_journey():
    odd = {"ü\N{GRINNING FACE}": [1, 1.5, -0.0, 1e300, 2**62, True, None, "</script>", '"', "\\", "=cmd|' /C calc'!A0"]}
    mine = Books(WRITERS[0], [parse_event(raw_event(evidence=odd, reason="é" * 1000, host="ü.example"))])
    assert Books(WRITERS[1]).take(mine.export()).state() == mine.state()


# --- on real databases, as a user ----------------------------------------------------------------------------------


def stopgap(*words, check=True, **more):
    done = typed.stopgap("ledger", *words, text=False, **more)
    assert not check or done.returncode == 0, done.stderr
    return done


def fill(told):
    with writing(open_ledger()) as connection:
        book.record(connection, told)


FLEET = [event(host=host, at=moment(n)) for n, host in enumerate(["b", "A", "a", "ä", "Z", "_", "a.b", "aB"])]


def test_out_and_in_again_on_either_database(state, tmp_path, monkeypatch):
    """From each backend to SQLite and back: the order of hosts is of bytes, whatever the database sorts by."""
    fill(FLEET)
    file, back = tmp_path / "books.jsonl", tmp_path / "back.jsonl"
    assert stopgap("export", str(file)).stdout == f"8 events exported to {file}\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir()} <= {"books.jsonl", "state"}
    here = os.environ | {"STOPGAP_STATE_DIR": str(tmp_path / "other")}
    here.pop("STOPGAP_LEDGER_URL", None)
    assert stopgap("import", str(file), env=here).stdout == b"8 new of 8 events in 8 chains\n"
    assert stopgap("export", "-", env=here).stdout.split(b"\n", 1)[1] == file.read_bytes().split(b"\n", 1)[1]
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "other"))
    url = os.environ.get("STOPGAP_LEDGER_URL")
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    fill([event(host="c"), event(host="b")])
    stopgap("export", str(back))
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(state))
    if url:
        monkeypatch.setenv("STOPGAP_LEDGER_URL", url)
    with open(back, "rb") as file:
        assert json.loads(stopgap("import", "-", "--json", stdin=file).stdout) == {
            "events": 10, "new": 2, "chains": 10, "forks": [], "clocks": []
        }  # fmt: skip
    assert b"10 events in 10 chains: whole" in stopgap("verify").stdout
    assert stopgap("export").stdout.split(b"\n", 1)[1] == back.read_bytes().split(b"\n", 1)[1]
    with reading(open_ledger()) as connection:
        assert book.differences(connection) == []


@only_sqlite  # a writer of PostgreSQL cannot edit events
def test_verify_tells_and_ends_with_one(state, tmp_path):
    fill(FLEET)
    heads, later = tmp_path / "heads", tmp_path / "later"
    stopgap("verify", "--save", str(heads))
    assert stat.S_IMODE(heads.stat().st_mode) == 0o600
    assert b"whole" in stopgap("verify", "--against", str(heads)).stdout
    with writing(open_ledger()) as connection:
        connection.execute(sa.update(events).where(events.c.host == "Z").values(reason="\x1b[2J"))
    done = stopgap("verify", "--save", str(later), check=False)
    assert done.returncode == 1
    assert b"broken: default/Z, writer" in done.stdout
    assert b"1 places are broken" in done.stdout
    assert not later.exists()
    told = json.loads(stopgap("verify", "--json", check=False).stdout)
    assert (told["whole"], told["findings"][0]["host"], told["findings"][0]["kind"]) == (False, "Z", "changed")
    done = stopgap("export", str(tmp_path / "books"), check=False)
    assert (done.returncode, {one.name for one in tmp_path.iterdir()}) == (1, {"heads", "state"})
    heads.write_bytes(b"".join(heads.read_bytes().splitlines(keepends=True)[:-2]))
    done = stopgap("verify", "--against", str(heads), check=False)
    assert b"it was cut or changed" in done.stderr
    (state / "ledger.sqlite").unlink()
    assert b"nothing to export" in stopgap("export", check=False).stderr


@only_sqlite
def test_a_ledger_that_is_not_there_is_not_called_whole(state, tmp_path):
    heads = tmp_path / "heads"
    done = stopgap("verify", "--save", str(heads), check=False)
    assert (done.returncode, done.stdout, heads.exists()) == (1, b"", False)
    assert b"there is no ledger yet in sqlite:///" in done.stderr
    fill(FLEET)
    stopgap("verify", "--save", str(heads))
    (state / "ledger.sqlite").unlink()
    assert b"8 places are broken" in stopgap("verify", "--against", str(heads), check=False).stdout


@only_sqlite
def test_what_is_no_plain_file_is_not_replaced_by_one(state, tmp_path):
    """`/dev/null` of a machine whose root exports to it."""
    fill([event()])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (["export", str(pipe)], ["verify", "--save", str(pipe)]):
        done = stopgap(*words, check=False)
        assert (done.returncode, done.stderr.decode()) == (1, f"stopgap: {pipe}: it is there, and no plain file\n")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@only_sqlite
def test_nobody_waits_for_the_ledger_while_a_pipe_is_slow(state, tmp_path):
    """`stopgap ledger import <(ssh host stopgap ledger export)`"""
    fill([event()])
    (tmp_path / "books.jsonl").write_bytes(whole := stopgap("export").stdout)
    (tmp_path / "more.jsonl").write_bytes(whole)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    words = [sys.executable, "-m", "stopgap", "ledger", "import", str(pipe)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as importing, open(pipe, "wb", buffering=0) as slow:
        slow.write(whole[:50])
        with pytest.raises(subprocess.TimeoutExpired):
            importing.wait(1.5)  # by then it has taken what it takes before the end
        assert b"0 new of 1 events" in stopgap("import", str(tmp_path / "more.jsonl")).stdout
        slow.write(whole[50:])
        slow.close()
        assert importing.communicate(timeout=60)[0] == b"0 new of 1 events in 1 chains\n"


@only_sqlite
def test_standard_input_that_is_not_there_or_has_no_room(state, tmp_path, monkeypatch):
    fill([event()])
    words = [sys.executable, "-m", "stopgap", "ledger", "import", "-"]
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *words]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "stopgap: standard input: it is closed\n")
    with open(tmp_path / "books", "w+b") as file:
        file.write(stopgap("export").stdout)
        file.seek(0)
        monkeypatch.setattr("tempfile.TemporaryFile", lambda: io.FileIO("/dev/full", "r+"))
        done = stopgap("import", "-", stdin=file, check=False)
    assert (done.returncode, done.stderr) == (1, b"stopgap: standard input: No space left on device\n")


@only_sqlite
def test_the_ledger_itself_is_not_replaced(state, tmp_path):
    fill([event()])
    (tmp_path / "link").symlink_to(state / "ledger.sqlite")
    for words in (["export"], ["verify", "--save"]):
        for path in (state / "ledger.sqlite", tmp_path / "link"):
            done = stopgap(*words, str(path), check=False)
            assert done.returncode == 1
            assert b"is the ledger itself" in done.stderr
    assert b"1 events in 1 chains: whole" in stopgap("verify").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_who_is_ended_while_it_writes_leaves_nothing(state, tmp_path, number):
    """A timer's limit of time, a terminal that closes: each time as much as the whole ledger."""
    lines = [
        "import os, sys, pathlib",
        "from stopgap.cli.ledger_exchange import _written",
        "with _written(pathlib.Path(sys.argv[1])) as file:",
        "    file.write(b'x' * 100_000)",
        "    os.kill(os.getpid(), int(sys.argv[2]))",
    ]
    words = [sys.executable, "-c", "\n".join(lines), str(tmp_path / "books.jsonl"), str(int(number))]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
    assert [path.name for path in tmp_path.iterdir() if path != state] == []


def test_two_processes_of_one_number_write_the_same_file(tmp_path):
    """In containers that share the folder; so does one after another that was killed."""
    file = tmp_path / "books.jsonl"
    with whole_file(file) as one, whole_file(file) as other:
        one.write(b"one")
        other.write(b"other")
    assert file.read_bytes() == b"one"
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600]


def test_a_refused_file_is_named_with_its_line(state, tmp_path):
    file = tmp_path / "books.jsonl"
    file.write_bytes(without_line(3))
    done = stopgap("import", str(file), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"stopgap: {file}, line 3: the chain is broken".encode())
    assert stopgap("import", str(tmp_path / "none"), check=False).stderr.endswith(b"No such file or directory\n")
    done = stopgap("export", str(tmp_path / "none" / "x"), check=False)
    assert b"Traceback" not in done.stderr


def test_export_and_verify_see_one_moment_whoever_writes_meanwhile(state):
    fill(FLEET)
    with reading(open_ledger()) as connection:
        lines = []

        def write(line):
            if len(lines) == 3:
                fill([event(host=host) for host in ("b", "ä", "new")])
            lines.append(line)

        assert export(connection, write) == 8
    assert Books(WRITERS[1]).take(b"".join(lines)).taken.new == 8
