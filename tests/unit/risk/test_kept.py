"""Feeds in the ledger: put in place whole or not at all, and what is said of old ones. On both backends."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.ledger.makers import only_sqlite

from stopgap.ledger.store import open_ledger, writing
from stopgap.risk import kept, work
from stopgap.risk.errors import BadFeed, FeedUnavailable

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LOG4SHELL = ("2021-12-10", "2021-12-24")


@pytest.fixture
def update(state):
    def take(name, source, **more):
        return work.update_feed(name, str(source), NOW, **more)

    return take


def read(*cves):
    with writing(open_ledger()) as connection:
        return kept.read_feeds(connection, cves)


def test_feeds_are_kept_for_all_who_read_the_ledger(update, kev, epss):
    done = update("kev", kev("2026-11-20", CVE_2021_44228=LOG4SHELL, CISA_1=LOG4SHELL))
    update("epss", epss("2026-11-21"))
    assert (done.entries, done.skipped, done.before) == (1, 1, None)
    told = read("CVE-2021-44228", "CVE-2024-6387", "Log4Shell")
    assert told.kev["CVE-2021-44228"]["due"] == "2021-12-24"
    assert told.epss == {"CVE-2021-44228": {"epss": 0.97, "percentile": 0.99}}
    assert (told.kev_source, told.epss_source) == ("CISA KEV of 2026-11-20", "FIRST EPSS of 2026-11-21")
    one = work.kept_feeds()["kev"]
    assert (one.dated, one.fetched_at, one.entries) == (
        "2026-11-20T10:00:00.000000Z",
        "2026-11-22T12:00:00.000000Z",
        1,
    )
    assert len(one.digest) == 64


def test_a_newer_feed_takes_the_place_of_the_whole_old_one(update, kev):
    update("kev", kev("2026-11-18", CVE_2020_0001=LOG4SHELL))
    done = update("kev", kev("2026-11-20", CVE_2021_44228=LOG4SHELL))
    assert done.before.dated.startswith("2026-11-18")
    assert list(read("CVE-2020-0001", "CVE-2021-44228").kev) == ["CVE-2021-44228"]


def test_an_older_feed_is_refused_unless_it_is_forced(update, kev):
    update("kev", kev("2026-11-20", CVE_2021_44228=LOG4SHELL))
    old = kev("2026-11-18", CVE_2020_0001=LOG4SHELL)
    with pytest.raises(
        BadFeed, match=r"older than the one that is kept.*--force.*What was kept stays: CISA KEV of 2026-11-20"
    ):
        update("kev", old)
    assert list(read("CVE-2020-0001", "CVE-2021-44228").kev) == ["CVE-2021-44228"]
    update("kev", old, force=True)
    assert list(read("CVE-2020-0001", "CVE-2021-44228").kev) == ["CVE-2020-0001"]


def test_the_same_feed_again_is_no_error(update, kev):
    for _ in range(2):
        assert update("kev", kev("2026-11-20", CVE_2021_44228=LOG4SHELL)).entries == 1


def test_a_feed_from_the_future_would_keep_out_all_that_follow(update, kev):
    with pytest.raises(BadFeed, match="still to come"):
        update("kev", kev("2026-11-24", CVE_2021_44228=LOG4SHELL))
    assert work.kept_feeds() == {}


@pytest.mark.parametrize(
    ("source", "error"), [("cut", BadFeed), ("missing", FeedUnavailable), ("http://127.0.0.1:1/x", FeedUnavailable)]
)
def test_what_fails_replaces_nothing(update, kev, tmp_path, source, error):
    good = kev("2026-11-20", CVE_2021_44228=LOG4SHELL)
    update("kev", good)
    (tmp_path / "cut").write_bytes(good.read_bytes()[:-20])
    with pytest.raises(error, match="What was kept stays: CISA KEV of 2026-11-20"):
        update("kev", source if "://" in source else tmp_path / source)
    assert list(read("CVE-2021-44228").kev) == ["CVE-2021-44228"]


@only_sqlite
def test_a_write_that_fails_half_way_replaces_nothing(update, kev, monkeypatch):
    update("kev", kev("2026-11-18", CVE_2021_44228=LOG4SHELL))
    monkeypatch.setattr(kept, "_batches", lambda rows: (_ for _ in [next(rows), 1 / 0]))
    with pytest.raises(ZeroDivisionError):
        update("kev", kev("2026-11-20", CVE_2020_0001=LOG4SHELL))
    assert list(read("CVE-2020-0001", "CVE-2021-44228").kev) == ["CVE-2021-44228"]


@only_sqlite
def test_more_cves_than_a_statement_can_ask_for(update, kev):
    many = {f"CVE_2020_{number:05d}": LOG4SHELL for number in range(1000)}
    update("kev", kev("2026-11-20", **many))
    assert len(read(*(name.replace("_", "-") for name in many)).kev) == 1000


@only_sqlite
def test_no_feed_and_an_old_feed_are_told(update, kev):
    assert [sentence.split(":")[0] for sentence in kept.doubts({}, NOW)] == [
        "no CISA KEV feed is kept",
        "no FIRST EPSS feed is kept",
    ]
    update("kev", kev("2026-11-20", CVE_2021_44228=LOG4SHELL))
    shelf = work.kept_feeds()
    week = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
    assert "the kept CISA KEV feed is" not in "".join(kept.doubts(shelf, week))
    assert "the kept CISA KEV feed is 7 days old, of 2026-11-20" in "".join(
        kept.doubts(shelf, week + timedelta(seconds=1))
    )
