"""The judgement over a schedule must be able to say no: each thing it looks at, made wrong."""

import json
import os
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from stopgap.ledger import service
from tests.books import BIN
from tests.faults import agree
from tests.unit.ledger.makers import RUN, raw_event

HELD = {("web1", "CVE-1", "E1")}


@dataclass
class OneLaptop:
    """What `agree` asks of a laptop, without its mounts."""

    state: Path
    name: str = "ann"

    @property
    def spool(self):
        return self.state / "spool"

    @property
    def ledger_url(self):
        return f"sqlite:///{self.state}/ledger.sqlite"

    def run(self, *words):
        environment = os.environ | {"STOPGAP_STATE_DIR": str(self.state)}
        return subprocess.run(
            [str(BIN / words[0]), *words[1:]], env=environment, capture_output=True, text=True, check=False
        )


@dataclass
class Hosts:
    in_force: set

    def held(self):
        return self.in_force


@pytest.fixture
def laptop(tmp_path, monkeypatch):
    """Its ledger has one mitigation in force."""
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    found = OneLaptop(tmp_path)
    found.spool.mkdir()
    told = [
        raw_event(kind="mitigation", verdict=verdict, evidence={"entry": "E1", "mitigation": "m", "step": step})
        for step, verdict in enumerate(("intended", "applied"))
    ]
    (found.spool / f"{RUN}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    list(service.ingest(found.spool))
    return found


def write(laptop, statement):
    with sqlite3.connect(laptop.state / "ledger.sqlite") as connection:
        assert connection.execute(statement).rowcount > 0


def test_agreed(laptop):
    assert agree.judge(Hosts(HELD), [laptop]) == []
    assert agree.count_lost(Hosts(HELD), [laptop]) == (1, 0)


def test_lost(laptop):
    more = HELD | {("db1", "CVE-1", "E2")}
    (sentence,) = agree.judge(Hosts(more), [laptop])
    assert sentence.startswith("ann's ledger: LOST")
    assert "E2" in sentence
    assert agree.count_lost(Hosts(more), [laptop]) == (2, 1)


def test_in_force_on_no_host(laptop):
    (sentence,) = agree.judge(Hosts(set()), [laptop])
    assert "in force on no host" in sentence


def test_a_case_kept_otherwise(laptop):
    write(laptop, "UPDATE cases SET reason = 'all is well'")
    (sentence,) = agree.judge(Hosts(HELD), [laptop])
    assert "kept otherwise" in sentence


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET actor = 'eve' WHERE seq = 1", "UPDATE chains SET seq = 3", "DELETE FROM chains"]
)
def test_a_broken_chain(laptop, statement):
    write(laptop, statement)
    assert agree.judge(Hosts(HELD), [laptop])


def test_a_spool_that_was_not_delivered(laptop):
    (laptop.spool / f"{RUN}.jsonl").write_text("")
    (sentence,) = agree.judge(Hosts(HELD), [laptop])
    assert "spool still has" in sentence


def test_a_whole_line_put_aside(laptop):
    (laptop.spool / "bad").mkdir()
    lines = [{"line": 1, "why": "not JSON (cut)", "text": "{"}, {"line": 2, "why": "kind 'x' is unknown", "text": "{}"}]
    (laptop.spool / "bad" / "run.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (sentence,) = agree.judge(Hosts(HELD), [laptop])
    assert "whole line aside" in sentence
    assert "unknown" in sentence
