"""Hash chains, who is whose machine, public feeds, and cases that can be folded on.

Events recorded before chains existed get theirs here, in the order they were heard; their recorded_at is their own
time. The cases are projected again by whoever ran this.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.String(27)
CHUNK = 1000
# Frozen here: what was hashed once must not change with the code.
SPELLED = (
    "writer", "seq", "recorded_at", "id", "at", "estate", "host", "remedy", "revision", "kind", "verdict", "reason",
    "evidence", "actor", "run", "origin",
)  # fmt: skip


def upgrade() -> None:
    writer = str(uuid.uuid4())
    op.add_column("pen", sa.Column("writer", sa.String(36), nullable=False, server_default=writer))
    _add_tables()
    _chain_events(writer)
    _widen_cases()
    if op.get_bind().dialect.name == "postgresql":
        _order_by_bytes()


def _add_tables() -> None:
    op.create_table(
        "chains",
        sa.Column("writer", sa.String(36), primary_key=True),
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "machines",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("host_id", sa.String(64), primary_key=True),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
    )
    op.create_index("machines_by_id", "machines", ["host_id"])
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("dated", TIME, nullable=False),
        sa.Column("fetched_at", TIME, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "feed_facts",
        sa.Column("feed", sa.String(16), primary_key=True),
        sa.Column("cve", sa.String(32), primary_key=True),
        sa.Column("facts", sa.Text, nullable=False),
    )


def _chain_events(writer: str) -> None:
    op.rename_table("events", "events_0001")
    op.drop_index("events_of_case", "events_0001")
    op.drop_index("events_of_run", "events_0001")
    events = op.create_table(
        "events",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("writer", sa.String(36), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("remedy", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("run", sa.String(36), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        # The table before keeps the name events_pkey on PostgreSQL until it is dropped.
        sa.PrimaryKeyConstraint("id", "hash", name="events_by_id"),
    )
    chains = sa.table("chains", *(sa.column(name) for name in ("writer", "estate", "host", "seq", "hash")))
    _copy(events, chains, writer)
    op.drop_table("events_0001")
    op.create_index("events_of_case", "events", ["estate", "host", "remedy"])
    op.create_index("events_of_run", "events", ["run"])


def _copy(events: Any, chains: Any, writer: str) -> None:
    connection = op.get_bind()
    hosts = connection.execute(sa.text("SELECT DISTINCT estate, host FROM events_0001")).all()
    for estate, host in hosts:
        told = connection.execute(
            sa.text("SELECT * FROM events_0001 WHERE estate = :estate AND host = :host"),
            {"estate": estate, "host": host},
        )
        rows = list(_chained([dict(row) for row in told.mappings()], writer))
        for start in range(0, len(rows), CHUNK):
            connection.execute(sa.insert(events), rows[start : start + CHUNK])
        head = {"writer": writer, "estate": estate, "host": host, "seq": rows[-1]["seq"], "hash": rows[-1]["hash"]}
        connection.execute(sa.insert(chains), [head])


def _chained(rows: list[dict[str, Any]], writer: str) -> Iterator[dict[str, Any]]:
    previous = ""
    for seq, row in enumerate(sorted(rows, key=_heard), start=1):
        row |= {"writer": writer, "seq": seq, "recorded_at": _heard(row)[0]}
        spelled = [previous, *(row[name] for name in SPELLED)]
        text = json.dumps(spelled, separators=(",", ":"), ensure_ascii=False)
        previous = row["hash"] = hashlib.sha256(text.encode()).hexdigest()
        yield row


def _heard(row: dict[str, Any]) -> tuple[str, str]:
    heard = json.loads(row["evidence"]).get("heard_at")
    is_time = isinstance(heard, str) and len(heard) == len(row["at"])
    return (heard if is_time else row["at"], row["id"])


def _widen_cases() -> None:
    for column in (
        sa.Column("closed_at", TIME),
        sa.Column("held", sa.Integer, nullable=False, server_default="0"),
        sa.Column("protected_until", TIME),
        sa.Column("acceptance", sa.Text),
        sa.Column("accepted_until", TIME),
        sa.Column("exposure", sa.String(16), nullable=False, server_default=""),
        sa.Column("criticality", sa.String(16), nullable=False, server_default=""),
        sa.Column("owner", sa.String(255), nullable=False, server_default=""),
        sa.Column("episodes", sa.Text, nullable=False, server_default="[]"),
        sa.Column("folded", sa.Text, nullable=False, server_default=""),
    ):
        op.add_column("cases", column)
    op.create_index("cases_of_remedy", "cases", ["remedy", "revision"])
    held = sa.text("held > 0")
    op.create_index("cases_with_debt", "cases", ["estate", "host"], sqlite_where=held, postgresql_where=held)


def _order_by_bytes() -> None:
    """As SQLite does: the same order of hosts and the same ranges, whatever language the database was made for."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for table in ("events", "chains", "cases", "machines", "feeds", "feed_facts", "pen"):
        texts = [column for column in inspector.get_columns(table) if isinstance(column["type"], sa.String)]
        changes = (
            f'ALTER COLUMN "{column["name"]}" TYPE {column["type"].compile(connection.dialect)} COLLATE "C"'
            for column in texts
        )
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
