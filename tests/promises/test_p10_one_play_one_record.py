"""P10: laptop, plain Ansible and molecule runs of a play give the same events."""

import json
import sqlite3

import pytest

pytestmark = pytest.mark.lab
REMEDIES = "CVE-2023-44487"
# what differs between two runs of the same thing by nature: names of the run and moments
MOMENTS = {"id", "at", "run", "writer", "seq", "recorded_at", "hash"}
MOMENTS_OF_EVIDENCE = {"entry", "heard_at", "at", "expires_at", "seconds", "applied_at", "mtime", "mtime_ns"}


def strip(value):
    """Evidence without ids and moments, at any depth."""
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if key not in MOMENTS_OF_EVIDENCE}
    return [strip(item) for item in value] if isinstance(value, list) else value


def events(books):
    with sqlite3.connect(books.state / "ledger.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("select * from events")]
    found = []
    for row in rows:
        row["evidence"] = strip(json.loads(row["evidence"]))
        found.append(json.dumps({k: v for k, v in row.items() if k not in MOMENTS}, sort_keys=True))
    return sorted(found)


def test_p10_the_command_and_the_plain_playbook_leave_the_same_events(books, tmp_path):
    done = books.stopgap("mitigate", REMEDIES, "--owner", "web-team", "-l", "web1")
    assert done.returncode == 0, done.stdout + done.stderr
    by_command = events(books)
    assert books.stopgap("lift", REMEDIES, "--force", "--reason", "again", "-l", "web1").returncode == 0

    books.state = tmp_path / "plain"
    done = books.playbook(
        "mitigate", "-e", f"stopgap_remedies={REMEDIES}", "-e", "stopgap_owner=web-team", "-l", "web1"
    )
    assert done.returncode == 0, done.stdout
    assert events(books) == by_command
    assert by_command
