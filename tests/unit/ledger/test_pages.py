"""A page reckoned by two processes is a page reckoned by one."""

import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.bench.ledger_fleet import runs

from stopgap.ledger import beside, book, pages, service
from stopgap.ledger.events import parse_line
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import cases, chains, events, machines

LINES, HOSTS = 800, 40


def said():
    return [[parse_line(line.strip()) for line in run.lines] for run in runs(LINES, HOSTS)]


def written(told):
    """Every table after these deliveries, but for what each ledger has of its own."""
    with writing(open_ledger()) as connection:
        for one in told:
            book.record(connection, one)
        return {
            table.name: {tuple(row) for row in connection.execute(sa.select(*_lasting(table)))}
            for table in (events, chains, cases, machines)
        }


def _lasting(table):
    """Hashes cover who wrote an event down, and when."""
    return [column for column in table.c if column.name not in ("writer", "recorded_at", "hash", "folded")]


@pytest.fixture
def forked(monkeypatch):
    """How often a second process was asked; each page is worth one."""
    count = []

    def counted(work):
        count.append(work)
        return beside.beside(work)

    monkeypatch.setattr(pages, "can_fork", lambda: True)
    monkeypatch.setattr(pages, "WORTH_A_PROCESS", 4)
    monkeypatch.setattr(pages, "beside", counted)
    return count


def alone(state, monkeypatch, told):
    with monkeypatch.context() as patch:
        patch.setenv("STOPGAP_LEDGER_URL", f"sqlite:///{state}/alone.sqlite")
        patch.setattr(pages, "can_fork", lambda: False)
        return written(told)


def test_two_processes_write_what_one_writes(state, forked, monkeypatch):
    told = said()
    assert written(told) == alone(state, monkeypatch, told)
    assert forked
    assert service.check() == []


def test_a_process_that_dies_costs_nothing_but_its_work(state, forked, monkeypatch):
    told, own, real = said(), os.getpid(), pages.reckon

    def killed(*arguments):
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    monkeypatch.setattr(pages, "reckon", killed)
    assert written(told) == alone(state, monkeypatch, told)
    assert forked


def test_large_pages_and_no_others_are_shared(forked, monkeypatch, state):
    monkeypatch.setattr(pages, "WORTH_A_PROCESS", LINES)
    told = said()
    written(told)
    assert not forked


def test_the_shares_are_the_page():
    page = {("prod", f"h{number}"): list(range(number % 7)) for number in range(50)}
    theirs, ours = pages._shared(page)
    assert {**theirs, **ours} == page
    assert not theirs.keys() & ours.keys()
    assert 0.5 < sum(map(len, theirs.values())) / sum(map(len, page.values())) < 0.6


# --- the second process --------------------------------------------------------------------------------------------


@pytest.fixture
def none_left():
    """Running or as a zombie."""

    def children():
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

    before = children()
    yield
    assert children() == before


def test_what_it_made_comes_back_however_large(none_left):
    with beside.beside(lambda: b"x" * 5_000_000) as result:
        assert len(result()) == 5_000_000


def test_what_failed_is_told_apart_from_nothing(none_left):
    def fails():
        raise KeyboardInterrupt

    with beside.beside(fails) as result:
        assert result() is None
    with beside.beside(lambda: b"") as result:
        assert result() == b""


def test_nobody_waits_for_what_is_not_asked_for(none_left):
    with pytest.raises(ZeroDivisionError), beside.beside(lambda: b"x" * 5_000_000):
        raise ZeroDivisionError


def test_no_copy_is_made_of_a_process_with_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(beside.threading, "active_count", lambda: 1)
    assert beside.can_fork()
    monkeypatch.setattr(beside.threading, "active_count", lambda: 2)
    assert not beside.can_fork()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    monkeypatch.setattr(beside.threading, "active_count", lambda: 1)
    assert not beside.can_fork()
