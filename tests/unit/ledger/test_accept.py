"""`stopgap accept`: who, why, until; of open cases only; in the chain; all of it or nothing."""

import getpass
import json
import os
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.typed import stopgap
from tests.unit.ledger.makers import event, moment, only_sqlite

from stopgap.ledger import accepting, book, pages, say, service
from stopgap.ledger.as_of import ACCEPTED
from stopgap.ledger.errors import BadWord, NoSuchCase
from stopgap.ledger.events import spelled
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import events

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORDS = accepting.Words("ann", "frozen until the fair", NOW + timedelta(days=3650))


@pytest.fixture
def fleet(state):
    told = [
        event(host="web1"),
        event(host="web2"),
        event(host="web2", verdict="not_affected", at=moment(1)),
        event(host="db1"),
        event(host="db1", estate="lab"),
    ]
    with writing(open_ledger()) as connection:
        book.record(connection, told)
    return state


def said():
    with writing(open_ledger()) as connection:
        columns = (events.c.host, events.c.verdict, events.c.actor, events.c.reason, events.c.run)
        return [tuple(row) for row in connection.execute(sa.select(*columns).where(events.c.kind == "accepted"))]


def test_an_acceptance_is_an_event_in_the_chain_and_shows_in_status(fleet):
    done = stopgap("accept", "web1", "cve-1", "--until", "14d", "--why", "frozen until the fair", "--who", "ann")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("web1 CVE-1: accepted by ann until ")
    assert [row[:4] for row in said()] == [("web1", "accepted", "ann", "frozen until the fair")]
    (case,) = service.all_cases(host="web1")
    assert case.flags == ("accepted",)
    assert (case.acceptance.by, case.acceptance.why) == ("ann", "frozen until the fair")
    assert service.check() == []
    assert stopgap("ledger", "verify").returncode == 0
    done = stopgap("accept", "web1", "CVE-1", "--withdraw", "--why", "the fair is off")
    assert done.stdout == "web1 CVE-1: acceptance taken back (exposed)\n"
    assert service.all_cases(host="web1")[0].acceptance is None


@only_sqlite
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["web1", "CVE-1", "--until", "14d"], "why"),
        (["web1", "CVE-1", "--why", "x"], "--until is missing"),
        (["web1", "CVE-1", "--why", "x", "--until", "1d", "--withdraw"], "--withdraw takes no --until"),
        (["web1", "CVE-1", "--why", " ", "--until", "14d"], "why is empty"),
        (["web1", "CVE-1", "--why", "a\nb", "--until", "14d"], "cannot be printed"),
        (["web1", "CVE-1", "--why", "x" * 1001, "--until", "14d"], "longer than 1000"),
        (["web1", "CVE-1", "--why", "x", "--until", "14d", "--who", "\x1b[2J"], "cannot be printed"),
        (["web1", "CVE-1", "--why", "x", "--until", "2020-01-01"], "is past"),
        (["web1", "CVE-1", "--why", "x", "--until", "9999-12-31"], "more than a year away"),
        (["web1", "CVE-1", "--why", "x", "--until", "9999-12-31T23:59-12:00"], "is no date"),
        (["web1", "CVE-1", "--why", "x", "--until", "0001-01-01T00:00+12:00"], "is no date"),
        (["web1", "CVE-1", "--why", "x", "--until", "soon"], "is no date"),
        (["web2", "CVE-1", "--why", "x", "--until", "14d"], "CVE-1 on web2: not_affected, closed"),
        (["web3", "CVE-1", "--why", "x", "--until", "14d"], "no case of CVE-1 on 'web3'; did you mean web"),
        (["web1", "CVE-11", "--why", "x", "--until", "14d"], "no case of 'CVE-11' in the ledger; did you mean CVE-1?"),
        (["db1", "CVE-1", "--why", "x", "--until", "14d"], "db1 is in several estates (default, lab)"),
        (["web1", "CVE-1", "--why", "x", "--withdraw"], "no acceptance to take back"),
        (["web1", "CVE-1", "--why", "x", "--until", "14d", "--estate", "moon"], "no case of CVE-1 on 'web1'"),
    ],
)
def test_what_cannot_be_accepted_is_one_sentence_and_nothing_is_written(fleet, words, says):
    done = stopgap("accept", *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert said() == []


@only_sqlite
def test_a_pattern_takes_the_open_ones(fleet):
    done = stopgap("accept", "web*", "CVE-1", "--until", "14d", "--why", "x")
    assert (done.returncode, done.stderr) == (0, "1 case passed over: closed\n")
    done = stopgap("accept", "all", "CVE-1", "--until", "14d", "--why", "y")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["default/db1", "default/web1", "lab/db1"]
    rows = said()
    assert sorted((host, why) for host, _, _, why, _ in rows) == [
        ("db1", "y"),
        ("db1", "y"),
        ("web1", "x"),
        ("web1", "y"),
    ]
    assert len({run for *_, why, run in rows if why == "y"}) == 1


@only_sqlite
def test_all_or_nothing(fleet, monkeypatch):
    """A ledger that fails half-way holds none of it."""
    real = pages.write_down

    def broken(*arguments):
        real(*arguments)
        raise sa.exc.OperationalError("x", {}, Exception("disk is full"))

    monkeypatch.setattr(pages, "write_down", broken)
    with pytest.raises(ConnectionError, match="disk is full"):
        accepting.accept("all", "CVE-1", "", WORDS, NOW)
    assert said() == []


@only_sqlite
def test_no_ledger_or_one_that_is_away_is_an_error(state):
    with pytest.raises(NoSuchCase, match="ledger is empty"):
        accepting.accept("web1", "CVE-1", "", WORDS, NOW)
    away = os.environ | {"STOPGAP_LEDGER_URL": "postgresql://nobody@127.0.0.1:9/x"}
    done = stopgap("accept", "web1", "CVE-1", "--until", "14d", "--why", "x", env=away)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_until():
    until = accepting.parse_until
    assert until("2026-12-24", NOW) == datetime(2026, 12, 24, 23, 59, 59, 999999, UTC)
    assert until("2026-12-24T18:00+02:00", NOW) == datetime(2026, 12, 24, 16, 0, tzinfo=UTC)
    for not_to_its_end in ("20261224", "2026-W52", "2026-W52-4"):  # a day that would end as it begins
        with pytest.raises(BadWord, match="is no date"):
            until(not_to_its_end, NOW)
    assert until("2026-12-24 18:00", NOW) == datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
    assert until("2026-11-22", NOW) == datetime(2026, 11, 22, 23, 59, 59, 999999, UTC)
    assert [until(text, NOW) - NOW for text in ("90m", "12h", "14d", "2w")] == [
        timedelta(minutes=90), timedelta(hours=12), timedelta(days=14), timedelta(weeks=2),
    ]  # fmt: skip
    for bad in ("", "0d", "-1d", "14", "d", "2026-13-01", "2026-02-30", "999999w", "2026-11-22T11:59Z"):
        with pytest.raises(BadWord):
            until(bad, NOW)


def test_who_is_the_one_who_logged_in(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    monkeypatch.setenv("SUDO_USER", "ann")
    assert say.speaker() == "ann"
    assert say.speaker("bob") == "bob"
    monkeypatch.setattr(getpass, "getuser", lambda: "carl")
    assert say.speaker() == "carl"  # who became carl by sudo speaks as carl, as plays have it
    monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(KeyError("no such uid")))
    assert say.speaker().startswith("uid ")


@only_sqlite
def test_the_database_and_python_agree_on_what_ran_out(state):
    entry = {"entry": "E1", "mitigation": "m", "ttl_seconds": 600, "expires_at": moment(11)}
    told = []
    for number, until in enumerate((10, 11, 12, 13)):
        host = f"web{number}"
        entry = {**entry, "expires_at": moment(until)}
        told += [
            event(host=host),
            event(host=host, kind="mitigation", verdict="applied", evidence=entry, at=moment(5)),
            event(host=host, kind="verified", verdict="pass", evidence={"phase": "mitigation"}, at=moment(6)),
            event(host=host, kind="accepted", verdict="accepted", evidence={"until": moment(until)}, at=moment(7)),
        ]
    now = datetime.fromisoformat(moment(12))
    with writing(open_ledger()) as connection:
        book.record(connection, told)
        kept = book.read_cases(connection)
        for state_ in ("exposed", "mitigated"):
            by_python = [one.host for one in book.read_cases(connection, now=now) if one.state == state_]
            assert [one.host for one in book.read_cases(connection, state=state_, now=now)] == by_python
            assert by_python == {"exposed": ["web0", "web1", "web2"], "mitigated": ["web3"]}[state_]
        accepted = connection.scalars(sa.text(f"SELECT host FROM cases WHERE {ACCEPTED}"), {"now": spelled(now)}).all()
    assert {one.state for one in kept} == {"mitigated"}
    assert accepted == ["web3"]


@only_sqlite
def test_json_of_debt_tells_who_extended_and_who_accepted(state):
    proof = {"phase": "mitigation", "entry": "E1", "extends_to": moment(9000), "extends_why": "patch window"}
    entry = {"entry": "E1", "mitigation": "m", "expires_at": moment(11)}
    told = [
        event(),
        event(kind="mitigation", verdict="applied", evidence=entry, at=moment(5)),
        event(kind="verified", verdict="pass", evidence=proof, at=moment(6)),
        event(kind="accepted", verdict="accepted", evidence={"until": "2999-01-01T00:00:00.000000Z"}, at=moment(7)),
    ]
    with writing(open_ledger()) as connection:
        book.record(connection, told)
    (row,) = json.loads(stopgap("debt", "--json").stdout)["debt"]
    assert row["extended"] == {"until": moment(9000), "by": "ann", "why": "patch window", "at": moment(6)}
    assert set(row["acceptance"]) == {"until", "by", "why", "at"}


@only_sqlite
def test_json_tells_the_acceptance_and_nothing_of_the_fold(fleet):
    stopgap("accept", "web1", "CVE-1", "--until", "14d", "--why", "x", "--who", "ann")
    (told,) = json.loads(stopgap("status", "--host", "web1", "--json").stdout)["cases"]
    assert set(told["acceptance"]) == {"until", "by", "why", "at"}
    assert "folded" not in told
