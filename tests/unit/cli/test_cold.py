"""What is asked all day answers quickly: `status` and `debt` import nothing heavy. See docs/performance.md."""

import subprocess
import sys

import pytest
from tests.unit.ledger.makers import event

from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, writing

HEAVY = {"sqlalchemy", "alembic", "pydantic", "rich", "yaml", "cvss", "ansible_runner", "importlib.metadata"}
TOLD = """
import sys
from stopgap.cli.main import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    held = {"mitigation": "m", "entry": "E1"}
    with writing(open_ledger()) as connection:
        book.record(connection, [event(), event(kind="mitigation", verdict="applied", evidence=held)])


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["debt"], ["debt", "--json"], ["--version"]])
def test_nothing_heavy_is_imported(ledger, words):
    done = subprocess.run([sys.executable, "-c", TOLD, *words], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stderr.split()) == set()
    assert "typer" in done.stderr.split()


def test_what_was_given_is_converted_as_ever(ledger):
    def stopgap(*words):
        return subprocess.run([sys.executable, "-m", "stopgap", *words], capture_output=True, text=True, check=False)

    assert "No case matches" in stopgap("status", "--state", "fixed", "--limit", "0").stdout
    for words in (["--limit", "-1"], ["--limit", "many"], ["--state", "odd"], ["--no-such"], ["more"]):
        done = stopgap("status", *words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr.startswith("stopgap: "), words
