"""`stopgap ledger review`: a raised revision, told offline."""

import json

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import event, moment
from typer.testing import CliRunner

from stopgap.cli.ledger import app
from stopgap.ledger import book
from stopgap.ledger.store import open_ledger, reading, writing
from stopgap.ledger.tables import cases, events

REMEDY = """apiVersion: stopgap/v1
id: CVE-2026-0001
revision: {revision}
title: {title}
affected:
  packages:
    - name: nginx
      fixed_in: {{debian-12: "{fixed}"}}
fix:
  packages: [nginx]
checks:
  - package: {{name: nginx, at_least: fixed}}
"""


@pytest.fixture
def catalogue(tmp_path):
    folder = tmp_path / "remedies"
    folder.mkdir()

    def write(revision, fixed="1.22-9", title="A hole"):
        (folder / "CVE-2026-0001.yml").write_text(REMEDY.format(revision=revision, fixed=fixed, title=title))

    write(1)
    write.folder = folder
    return write


@pytest.fixture
def review(catalogue, state):
    def run(*words, code=0):
        done = CliRunner().invoke(app, ["review", "CVE-2026-0001", "--path", str(catalogue.folder), *words])
        assert done.exit_code == code, done.output
        return done.output

    return run


def closed(host, version="1.22-9", **more):
    packages = [{"name": "nginx", "arch": "amd64", "version": version, "source_version": version}]
    told = {"code": "awaiting_proof", "distro": "debian-12", "packages": packages}
    same = {"host": host, "remedy": "CVE-2026-0001", "at": moment(0), **more}
    return [
        event(verdict="patched", reason="on disk", evidence=told, **same),
        event(kind="verified", verdict="pass", evidence={"phase": "fix"}, **same),
    ]


def record(*told):
    with writing(open_ledger()) as connection:
        return book.record(connection, [one for several in told for one in several])


def kept():
    with reading(open_ledger()) as connection:
        return {one.host: one.state for one in book.read_cases(connection)}


def differences():
    with reading(open_ledger()) as connection:
        return book.differences(connection)


def test_a_raised_revision_reopens_and_says_which_hosts_and_why(review, catalogue):
    record(closed("web1"), closed("web2"), closed("web3", "1.22-12"))
    assert "1 new to it, 0 cases reopened" in review()
    assert set(kept().values()) == {"fixed"}
    catalogue(2, fixed="1.22-10")
    day = moment(0)[:10]
    assert review().splitlines() == [
        f"CVE-2026-0001 revision 2: 2 exposed: revision 2 wants nginx >= 1.22-10; it was 1.22-9 here (assessed {day})",
        "  web1, web2",
        "CVE-2026-0001 revision 2: 1 patched: proven under revision 1; revision 2 asks for a new proof",
        "  web3",
        "1 remedy held against the ledger: 1 new to it, 3 cases reopened",
    ]
    assert kept() == {"web1": "exposed", "web2": "exposed", "web3": "patched"}
    assert "0 new to it, 0 cases reopened" in review()
    assert differences() == []


def test_a_host_that_fell_silent_is_reopened_and_told_too(review, catalogue):
    silent = {"verdict": "unknown", "reason": "timed out", "evidence": {"code": "unreachable"}, "at": moment(5)}
    down = [event(host=host, remedy="CVE-2026-0001", **silent) for host in ("web1", "web2")]
    record(closed("web1"), closed("web2", "1.22-12"), down)
    for revision, fixed in ((2, "1.22-10"), (3, "1.22-11")):
        catalogue(revision, fixed=fixed)
        told = json.loads(review("--json"))["reopened"]
        assert [(one["host"], one["state"]) for one in told] == (
            [("web1", "unknown"), ("web2", "unknown")] if revision == 2 else []
        )
    catalogue(4, fixed="1.22-13")
    day = moment(0)[:10]
    assert review().splitlines()[:2] == [
        "CVE-2026-0001 revision 4: 1 unknown: timed out; last known: exposed; "
        f"revision 4 wants nginx >= 1.22-13; it was 1.22-12 here (assessed {day})",
        "  web2",
    ]
    with reading(open_ledger()) as connection:
        assert [one.closed_at for one in book.read_cases(connection)] == [None, None]
    assert differences() == []


def test_a_host_that_was_not_affected_and_fell_silent_is_told_once(review, catalogue):
    told = {"host": "web1", "remedy": "CVE-2026-0001"}
    clean = {"verdict": "not_affected", "reason": "nginx is not installed", "evidence": {"code": "not_installed"}}
    silent = {"verdict": "unknown", "reason": "timed out", "evidence": {"code": "unreachable"}}
    record([event(**told, **clean, at=moment(0)), event(**told, **silent, at=moment(5))])
    catalogue(2, fixed="1.22-10")
    assert review("--fail-on", "reopened", code=4).splitlines()[:2] == [
        "CVE-2026-0001 revision 2: 1 unknown: not affected under revision 1 (nginx is not installed); "
        "assess it under revision 2; last known: not_affected",
        "  web1",
    ]
    catalogue(3, fixed="1.22-11")
    assert json.loads(review("--json"))["reopened"] == []


def test_json_tells_all_and_fail_on_ends_with_4(review, catalogue):
    record(*(closed(f"web{n}") for n in range(12)))
    catalogue(2, fixed="1.22-10")
    assert "web0, web1, web10, web11, web2 and 7 more" in review("--dry-run")
    told = json.loads(review("--json", "--fail-on", "reopened", code=4))
    assert (told["recorded"], len(told["reopened"])) == (True, 12)
    assert set(told["reopened"][0]) == {"estate", "host", "remedy", "revision", "state", "reason"}
    assert json.loads(review("--json", "--fail-on", "reopened"))["reopened"] == []


def test_a_dry_run_records_nothing(review, catalogue):
    record(closed("web1"))
    catalogue(2, fixed="1.22-10")
    assert "1 case would be reopened; dry run: nothing was recorded" in review("--dry-run")
    assert kept() == {"web1": "fixed"}
    with reading(open_ledger()) as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(events.c.kind == "remedy")) == 0
    assert "1 case reopened" in review()


def test_other_content_of_the_same_revision_and_an_older_one_reopen_nothing(review, catalogue):
    catalogue(2)
    record(closed("web1", revision=2))
    review()
    catalogue(2, fixed="1.22-99")
    assert "1 new to it, 0 cases reopened" in review()
    catalogue(1)
    assert "this catalogue has revision 1, the ledger knows revision 2: update the catalogue" in review()
    assert kept() == {"web1": "fixed"}
    assert differences() == []


def test_another_title_is_no_new_knowledge(review, catalogue):
    record(closed("web1"))
    review()
    catalogue(1, title="The same hole in other words")
    assert "0 new to it" in review()


@pytest.mark.parametrize("state", ["sqlite"], indirect=True)
def test_no_ledger_yet_is_not_made(review, state):
    assert "0 new to it, 0 cases reopened" in review()
    assert not (state / "ledger.sqlite").exists()


def test_its_statements_are_of_chunks_and_not_of_cases(state, review, catalogue):
    """Never one question or one statement a case."""
    record(*(closed(f"web{n:04}") for n in range(900)))
    catalogue(2, fixed="1.22-10")
    with _counted() as statements:
        assert "900 cases reopened" in review()
    with reading(open_ledger()) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(cases)) == 900
    assert len(statements) < 60, statements


class _counted:
    def __enter__(self):
        self.told = []
        sa.event.listen(sa.Engine, "before_cursor_execute", self._one_more)
        return self.told

    def __exit__(self, *_):
        sa.event.remove(sa.Engine, "before_cursor_execute", self._one_more)

    def _one_more(self, _connection, _cursor, statement, *_):
        self.told.append(statement[:80])
