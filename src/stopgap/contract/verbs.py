"""Runs the verbs a user types, over one host, with a ledger of the contract's own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from stopgap.contract.errors import ContractError
from stopgap.ledger.tables import events

TIMEOUT = 1800


@dataclass(frozen=True)
class Answer:
    """Where the verb left the case, in the words of its `--json`."""

    code: int
    state: str
    reason: str

    def __str__(self) -> str:
        return f"{self.state or f'exit code {self.code}'}: {self.reason}"


@dataclass(frozen=True)
class Verbs:
    """One remedy, one host."""

    remedy: str
    folder: Path
    inventory: Path
    host: str
    state: Path

    def __call__(self, verb: str, *words: str) -> Answer:
        command = [verb, self.remedy, "-i", str(self.inventory), "-l", self.host, "--remedy-path", str(self.folder)]
        done = self._stopgap(*command, *words, "--json")
        try:
            told: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            return Answer(done.returncode, "", _last_words(done.stderr or done.stdout))
        cases = [case for case in told["cases"].get(self.host, []) if case["remedy"] == self.remedy]
        if not cases:
            why = told["failures"].get(self.host) or told["unreachable"].get(self.host)
            return Answer(done.returncode, "", why or _last_words(done.stderr))
        case = cases[0]
        waiting = f" (waits for: {case['waiting_for']})" if case.get("waiting_for") else ""
        return Answer(done.returncode, case["state"], f"{case['reason']}{waiting}")

    def ledger_state(self) -> str:
        """The state the ledger has for the case, and "" where it has none."""
        told = json.loads(self._stopgap("status", "--json").stdout)
        return next((case["state"] for case in told["cases"] if case["remedy"] == self.remedy), "")

    def owed(self) -> list[str]:
        told = json.loads(self._stopgap("debt", "--json").stdout)
        return [row["remedy"] for kind in ("debt", "orphans") for row in told[kind]]

    def history(self) -> list[tuple[str, str]]:
        """What the ledger was told of this case, oldest first: (kind, verdict), a proof as ("verified fix", …)."""
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(self.state / "ledger.sqlite")))
        query = sa.select(events.c.kind, events.c.verdict, events.c.evidence)
        query = query.where(events.c.remedy == self.remedy).order_by(events.c.at, events.c.id)
        with engine.connect() as connection:
            rows = connection.execute(query).all()
        engine.dispose()
        return [(_kind(kind, evidence), verdict) for kind, verdict, evidence in rows]

    def _stopgap(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"STOPGAP_STATE_DIR": str(self.state)}
        environment.pop("STOPGAP_LEDGER_URL", None)
        environment.pop("STOPGAP_RUN", None)
        command = [sys.executable, "-P", "-m", "stopgap", *words]
        try:
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise ContractError(f"'stopgap {' '.join(words)}' was not done after {TIMEOUT} s") from None


def _kind(kind: str, evidence: str) -> str:
    return f"verified {json.loads(evidence).get('phase', '')}" if kind == "verified" else kind


def _last_words(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:]) or "said nothing"
