"""Readers reach a plain file without SQLAlchemy; whatever is out of the ordinary goes the ledger's usual way."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.ledger.makers import event, only_sqlite

from stopgap.ledger import book, readers
from stopgap.ledger.asking import asking
from stopgap.ledger.errors import LedgerUnavailable
from stopgap.ledger.paths import ledger_file
from stopgap.ledger.reading import ALL
from stopgap.ledger.store import open_ledger, writing


@pytest.fixture
def file(state):
    with writing(open_ledger()) as connection:
        book.record(connection, [event()])
    return state / "ledger.sqlite"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/books.sqlite", "/var/lib/books.sqlite"),
        ("sqlite:///books of ann.sqlite", "books of ann.sqlite"),
        ("sqlite:////var/lib/books.sqlite?timeout=3", None),
        ("sqlite:///file:books?mode=ro&uri=true", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///", None),
        ("sqlite://", None),
        ("sqlite+pysqlite:////var/lib/books.sqlite", None),
        ("postgresql://ann@db/books", None),
        ("sqlite:////var/lib/boo\x1bks.sqlite", None),
    ],
)
def test_which_urls_are_plain_files(url, path, monkeypatch):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", url)
    assert ledger_file() == (Path(path) if path else None)


@only_sqlite
def test_a_ledger_elsewhere_by_url(file, monkeypatch, tmp_path):
    file.rename(tmp_path / "my books.sqlite")
    assert list(readers.every_case()) == []
    monkeypatch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{tmp_path}/my books.sqlite")
    assert [one.host for one in readers.every_case()] == [event().host]


@only_sqlite
def test_reading_makes_no_ledger_and_writes_nothing(state):
    with asking() as ledger:
        assert ledger is None
    assert not state.exists()


def test_whoever_asks_cannot_write(state):
    with writing(open_ledger()) as connection:
        book.record(connection, [event()])
    with pytest.raises(LedgerUnavailable), asking() as ledger:
        ledger.execute("DELETE FROM cases")
    assert len(list(readers.every_case())) == 1


def test_one_view_for_all_that_is_asked(state):
    with writing(open_ledger()) as connection:
        book.record(connection, [event()])
    with asking() as ledger:
        before = list(ledger.execute("SELECT COUNT(*) FROM cases"))
        with writing(open_ledger()) as connection:
            book.record(connection, [event(host="web2")])
        assert list(ledger.execute("SELECT COUNT(*) FROM cases")) == before
        ledger.commit()
        assert list(ledger.execute("SELECT COUNT(*) FROM cases")) != before


@only_sqlite
@pytest.mark.parametrize("damage", ["DROP TABLE cases", "ALTER TABLE cases RENAME COLUMN state TO stat"])
def test_a_damaged_ledger_is_a_sentence(file, damage):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(damage)
    with pytest.raises(LedgerUnavailable, match=r"the ledger sqlite:////.*ledger.sqlite cannot be used: no such"):
        readers.overview(ALL, 10)


@only_sqlite
def test_no_database_at_all(file):
    file.write_bytes(b"no database " * 1000)
    with pytest.raises(LedgerUnavailable, match="file is not a database"):
        readers.overview(ALL, 10)


@only_sqlite
def test_a_newer_ledger_is_not_read_as_if_it_were_known(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(Exception, match="newer stopgap"):
        readers.overview(ALL, 10)
