"""`stopgap ledger retire`: hosts that are gone leave the debt by somebody's word, and come back by their own."""

import json
import sys
from types import SimpleNamespace

import pytest
from tests.unit.ledger.makers import START, event, moment, only_sqlite
from tests.unit.ledger.test_machines import assessed, journal, record

from stopgap.cli.main import main
from stopgap.ledger.asking import asking
from stopgap.ledger.notices import read_notices

APPLIED = {"mitigation": "limits", "entry": "E1"}


@pytest.fixture
def stopgap(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["stopgap", *words])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=end.value.code, stdout=shown.out, stderr=shown.err)

    return run


@pytest.fixture
def renamed(state):
    record(
        assessed("web1", 1, "aaa"),
        event(host="web1", at=moment(2), kind="mitigation", verdict="applied", evidence=APPLIED),
        event(host="web1", at=moment(2), remedy="CVE-2", verdict="not_affected", evidence={"code": "not_installed"}),
        journal("web2", 5, "aaa"),
    )


def test_it_closes_what_was_open_and_the_notice_goes(renamed, stopgap):
    done = stopgap("ledger", "retire", "web1", "--reason", "renamed to web2", "--who", "ann")
    assert done.stdout == (
        "web1 is retired by ann: 1 open of 2 cases closed, mitigations in force no longer counted: 1\n"
    )
    told = json.loads(stopgap("status", "--json").stdout)
    assert {(one["state"], one["reason"]) for one in told["cases"]} == {
        ("not_affected", "retired by ann: renamed to web2")
    }
    assert told["notices"] == []
    assert json.loads(stopgap("debt", "--json").stdout)["debt"] == []


def test_it_comes_back_when_it_answers(renamed, stopgap):
    stopgap("ledger", "retire", "web1", "--reason", "gone")
    record(assessed("web1", 500 * 366 * 24 * 60, "aaa"))  # counts from when it is written down
    states = {one["remedy"]: one["state"] for one in json.loads(stopgap("status", "--json").stdout)["cases"]}
    assert states["CVE-1"] == "exposed"
    with asking() as ledger:
        assert [one.kind for one in read_notices(ledger, START)] == ["cloned"]


@only_sqlite
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web9", "--reason", "gone"), "no case of a host 'web9'"),
        (("web1", "--reason", " "), "reason is empty"),
        (("web1",), "Missing option '--reason'"),
        (("\x1b[31mweb1", "--reason", "gone"), "no case of a host"),
    ],
)
def test_what_cannot_be_said(renamed, stopgap, words, said):
    done = stopgap("ledger", "retire", *words)
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "\x1b" not in done.stderr


@only_sqlite
def test_a_name_in_several_estates_is_asked_about(renamed, stopgap):
    record(assessed("web1", 1, "ccc", estate="lab"))
    done = stopgap("ledger", "retire", "web1", "--reason", "gone")
    assert "in several estates (default, lab): say which with --estate" in done.stderr
    assert stopgap("ledger", "retire", "web1", "--reason", "gone", "--estate", "lab").returncode == 0


@only_sqlite
def test_nothing_to_retire(state, stopgap):
    done = stopgap("ledger", "retire", "web1", "--reason", "gone")
    assert (done.returncode, done.stderr) == (1, "stopgap: the ledger is empty: there is no host 'web1' to retire\n")


def test_retired_by_mistake_the_due_date_and_what_was_accepted_stay(state, stopgap):
    began = assessed("web1", 1, "aaa")
    record(began)
    stopgap("accept", "web1", "CVE-1", "--until", "14d", "--why", "frozen", "--who", "ann")
    stopgap("ledger", "retire", "web1", "--reason", "taken down")
    (retired,) = json.loads(stopgap("status", "--json").stdout)["cases"]
    assert retired["closed_at"] is not None
    record(assessed("web1", 500 * 366 * 24 * 60, "aaa"))
    (back,) = json.loads(stopgap("status", "--json").stdout)["cases"]
    assert (back["state"], back["exposed_at"], back["closed_at"]) == ("exposed", began.at, None)
    assert (back["acceptance"]["by"], back["flags"], back["episodes"]) == ("ann", ["accepted"], [])
    assert stopgap("ledger", "check").returncode == 0


def test_its_name_given_to_another_machine_begins_anew(state, stopgap):
    record(assessed("web1", 1, "aaa"))
    stopgap("ledger", "retire", "web1", "--reason", "taken down")
    record(assessed("web1", 500 * 366 * 24 * 60, "bbb"))
    (case,) = json.loads(stopgap("status", "--json").stdout)["cases"]
    assert [one["exposed_at"] for one in case["episodes"]] == [moment(1)]
    assert case["exposed_at"] > moment(1)
    assert stopgap("ledger", "check").returncode == 0
