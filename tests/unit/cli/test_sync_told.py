"""What `stopgap sync` says it found: host by host, and what nobody had heard of by name."""

import json
import sys
import threading

import pytest
from tests.unit.ledger.makers import event, moment

from stopgap.cli import delivered
from stopgap.cli.main import main
from stopgap.engine import run as engine
from stopgap.engine.model import RunResult
from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, writing


def record(*told):
    with writing(open_ledger()) as connection:
        book.record(connection, told)


def seen(host, *held, **more):
    listed = {"in_force": [["CVE-1", entry] for entry in held], "host_id": f"id-{host}"} | more.pop("evidence", {})
    return event(kind="journal", verdict="seen", remedy="", revision=0, host=host, evidence=listed, **more)


def history(host, entry, *states, found=True, step=0, **more):
    evidence = {"mitigation": "notice", "entry": entry} | ({"found": True} if found else {})
    return [
        event(
            host=host, kind="mitigation", verdict=state, evidence={**evidence, "step": place}, at=moment(place), **more
        )
        for place, state in enumerate(states, start=step)
    ]


@pytest.fixture
def sync(tmp_path, monkeypatch, capsys):
    """A play in whose course the hosts tell these events."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    monkeypatch.delenv("STOPGAP_RUN", raising=False)

    def play(told, *words, code=0, journals=()):
        def run(request, listen):
            if told is not None:
                record(*told(request.run))
            return RunResult(journals=set(journals))

        monkeypatch.setattr(engine, "run", run)
        monkeypatch.setattr(sys, "argv", ["stopgap", "sync", "-i", "web1,", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == code
        return capsys.readouterr()

    return play


def test_a_mitigation_nobody_had_heard_of_is_told(sync):
    said = sync(lambda run: [*history("web1", "E1", "intended", "applied", run=run), seen("web1", "E1", run=run)])
    assert said.out.splitlines()[:2] == [
        "web1: 2 new events",
        "web1: found mitigation notice of CVE-1, in force since 2026-11-21 12:01 UTC: the ledger had not heard of it",
    ]
    assert said.err == ""


def test_what_was_known_is_nothing_new(sync):
    record(*history("web1", "E1", "intended", "applied", found=False))
    said = sync(lambda run: [seen("web1", "E1", run=run), seen("web2", run=run)])
    assert said.out.splitlines()[0] == "2 hosts: nothing new"
    assert "found" not in said.out


def test_more_of_a_known_one_is_new_and_not_found(sync):
    record(*history("web1", "E1", "intended", "applied", found=False))
    said = sync(lambda run: [*history("web1", "E1", "lifting", step=2, run=run), seen("web1", "E1", run=run)])
    assert said.out.splitlines()[0] == "web1: 1 new event"
    assert "found" not in said.out


def test_one_that_is_over_is_no_find(sync):
    said = sync(lambda run: [*history("web1", "E1", "applied", "lifting", "lifted", run=run), seen("web1", run=run)])
    assert said.out.splitlines()[0] == "web1: 3 new events"
    assert "found" not in said.out


def test_another_machine_is_told_beside_it(sync):
    record(event(evidence={"code": "below_fixed", "host_id": "aaa"}))
    said = sync(lambda run: [seen("web1", run=run, at=moment(5), evidence={"host_id": "bbb"})])
    assert "1 host: nothing new" in said.out
    assert said.err.startswith("stopgap: rebuilt: web1 answers as another machine since")


def test_hosts_of_several_estates_have_theirs_before_their_name(sync):
    said = sync(lambda run: [*history("web1", "E1", "applied", estate="a", run=run), seen("web1", run=run, estate="b")])
    assert said.out.startswith("a/web1: 1 new event\n")


def test_a_large_fleet_is_told_in_few_lines_those_with_a_find_first(sync):
    def told(run):
        for number in range(70):
            yield from history(f"h{number:02}", "E1", "applied", found=number == 69, run=run)

    lines = sync(told).out.splitlines()
    assert lines[1].startswith("h69: found mitigation notice")
    assert "and 10 hosts more with new events: `stopgap sync --json` has all" in lines
    assert len(lines) < 70


def test_json_has_it_all(sync):
    told = sync(lambda run: [*history("web1", "E1", "applied", run=run), seen("web2", run=run)], "--json")
    web1, web2 = json.loads(told.out)["delivered"]
    assert (web1["host"], web1["events"], web2["host"], web2["events"], web2["found"]) == ("web1", 1, "web2", 0, [])
    (found,) = web1["found"]
    assert {"remedy": "CVE-1", "entry": "E1", "mitigation": "notice", "state": "applied"}.items() <= found.items()


def test_a_sync_that_brought_nothing_says_so_little(sync):
    assert sync(None).out.startswith("journals read")


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_journal_that_did_not_come_into_the_ledger_is_no_success(sync, words):
    read = [f"web{number}" for number in range(1, 8)]
    said = sync(lambda run: [seen("web1", run=run)], *words, code=1, journals=read)
    assert said.err.startswith("stopgap: read, and not in the ledger: the journals of 6 hosts (web2, web3,")
    assert "web6 and 1 more" in said.err
    if words:
        assert json.loads(said.out)["exit_code"] == 1


def test_another_command_that_delivers_it_is_given_a_moment(sync, tmp_path, monkeypatch):
    """The spool file goes when its delivery is done."""
    monkeypatch.setattr(delivered, "MOMENT", 30.0)
    spool = tmp_path / "spool"
    spool.mkdir()

    def told(run):
        waits = spool / f"{run}.jsonl"
        waits.touch()
        threading.Timer(0.5, lambda: (record(seen("web1", run=run)), waits.unlink())).start()
        return []

    assert sync(told, journals=["web1"]).err == ""


def test_in_check_mode_none_is_to_come(sync):
    assert sync(None, "--check", journals=["web1"]).err == ""


def test_a_ledger_that_cannot_be_read_hides_no_host(sync, monkeypatch, capsys):
    monkeypatch.setenv("STOPGAP_LEDGER_URL", "nonsense")
    monkeypatch.setattr(engine, "run", lambda _request, _listen: RunResult(failures={"web1": "no journal"}))
    monkeypatch.setattr(sys, "argv", ["stopgap", "sync", "-i", "web1,"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert end.value.code == 1
    assert "failed web1: no journal" in said.out
    assert "STOPGAP_LEDGER_URL is not a database URL" in said.err


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "[red]x[/]", "x" * 5000])
def test_what_a_host_calls_its_mitigation_is_harmless(sync, text):
    told = history("web1", "E1", "applied")[0]
    said = sync(lambda run: [event(**_raw(told) | {"run": run, "evidence": told.evidence | {"mitigation": text}})])
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) < 300


def _raw(told):
    return {name: getattr(told, name) for name in told.__struct_fields__}
