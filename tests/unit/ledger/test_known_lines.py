"""Lines that the ledger knows are not read: what comes of a delivery is the same."""

import json
import random

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import RUN, moment, raw_event

from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import SpoolFile
from stopgap.ledger import book, service, spool
from stopgap.ledger.events import id_in
from stopgap.ledger.store import open_ledger, reading
from stopgap.ledger.tables import cases, events


def spelled(raw):
    return json.dumps(raw, separators=(",", ":")).encode() + b"\n"


def deliver(folder, *lines):
    (folder / f"{RUN}.jsonl").write_bytes(b"".join(lines))
    return next(service.ingest(folder))


def test_the_id_is_told_by_the_beginning_of_a_whole_line_as_the_callback_writes_it(tmp_path):
    raw = raw_event()
    file = SpoolFile(str(tmp_path / "spool"), RUN)
    file.write(raw)
    file.close()
    with open(file.path, "rb") as lines:
        assert [id_in(line) for line in lines] == [raw["id"]]
    assert id_in(json.dumps(raw).encode() + b"\n") == raw["id"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(spelled(raw_event())[:-1], id="without its end"),
        pytest.param(spelled(raw_event())[:-40], id="cut"),
        pytest.param(spelled(dict(reversed(raw_event().items()))), id="keys in another order"),
        pytest.param(spelled(raw_event() | {"id": "short"}), id="a short one"),
        pytest.param(spelled(raw_event() | {"id": "x" * 40}), id="a long one"),
        pytest.param(spelled(raw_event()).replace(b"-", b"\0", 1), id="a NUL in it"),
        pytest.param(b"\n", id="empty"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_by_no_other(line):
    assert id_in(line) == ""


def test_a_known_line_is_counted_and_not_read(spool, monkeypatch):
    line = spelled(raw_event())
    deliver(spool, line)
    monkeypatch.setattr("stopgap.ledger.spool.parse_line", None)
    done = deliver(spool, line, line)
    assert (done.events, done.new, done.bad) == (2, 0, ())


def test_a_known_line_that_was_cut_is_told_all_the_same(spool):
    line = spelled(raw_event())
    deliver(spool, line)
    done = deliver(spool, line, line[:-40])
    assert (done.events, done.new) == (1, 0)
    assert "line 2: cut in the middle" in done.bad[0]


@pytest.mark.parametrize(
    ("torn", "told"),
    [
        pytest.param(lambda line, other: line[:-40] + other, "not JSON", id="two lines in one"),
        pytest.param(lambda line, _other: line[:60] + b"\0" * 90 + line[150:], "not JSON", id="a hole"),
        pytest.param(lambda line, _other: line[:10] + b"\0" * 9 + line[19:], "not JSON", id="a hole in the id"),
        pytest.param(lambda line, _other: line[:-2] + b',"a":' + b"[" * 9999 + b"]" * 9999 + b"}\n", "", id="deep"),
    ],
)
def test_nor_does_one_that_is_torn_pass_for_a_known_one(spool, torn, told):
    line, other = spelled(raw_event()), spelled(raw_event(host="b"))
    deliver(spool, line)
    done = deliver(spool, line, torn(line, other))
    assert (done.events, done.new, len(done.bad)) == (1, 0, 1)
    assert done.bad[0].startswith(f"line 2: {told}")


def test_the_last_of_two_ids_in_a_line_counts(spool):
    first, second = raw_event(), raw_event(host="b")
    deliver(spool, spelled(first))
    done = deliver(spool, spelled(second).replace(b"{", b'{"id":"%s",' % first["id"].encode(), 1))
    assert (done.events, done.new) == (1, 1)


def test_an_id_in_another_place_is_known_too(spool):
    raw = raw_event()
    deliver(spool, spelled(raw))
    done = deliver(spool, spelled(dict(reversed(raw.items()))), spelled(raw_event(host="b")))
    assert (done.events, done.new) == (2, 1)


class TestAsIfAllWereRead:
    LINES = 60

    @pytest.fixture
    def told(self):
        """Some lines several times, some in another spelling, some cut, some of odd beginnings; in two deliveries."""
        chance = random.Random(11)  # noqa: S311 - any will do, the same each time
        known = [
            raw_event(host=f"h{n % 4}", at=moment(n), verdict=chance.choice(("exposed", "not_affected")))
            for n in range(self.LINES // 2)
        ]
        lines = []
        for raw in chance.choices(known, k=self.LINES):
            line = spelled(raw)
            odd = [line, line, line, spelled(dict(reversed(raw.items()))), b" " + line, line[:-30] + b"\n", line[9:]]
            lines.append(chance.choice(odd))
        return lines[: self.LINES // 3], lines[self.LINES // 3 :]

    def outcome(self, folder, told):
        done = [deliver(folder, *lines) for lines in told]
        assert service.check() == []
        with reading(open_ledger()) as connection:
            kept = connection.execute(sa.select(events.c.id, events.c.seq, events.c.evidence).order_by(events.c.id))
            found = connection.execute(sa.select(cases).order_by(cases.c.host))
            return [(one.events, one.new, one.bad) for one in done], kept.all(), found.all()

    @pytest.mark.parametrize(("at_once", "limit"), [(10_000, 10**7), (7, 10**7), (1, 10**7), (10_000, 3000), (5, 1)])
    def test_it(self, told, at_once, limit, state, tmp_path, monkeypatch):
        monkeypatch.setattr(book, "AT_ONCE", at_once)
        monkeypatch.setattr(spool, "PART_LIMIT", limit)
        for name in ("ours", "other"):
            (tmp_path / name).mkdir(mode=0o700)
        ours = self.outcome(tmp_path / "ours", told)
        other = tmp_path / "other"
        monkeypatch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{other}/ledger.sqlite")
        monkeypatch.setattr(spool, "id_in", lambda _line: "")
        assert ours == self.outcome(other, told)
