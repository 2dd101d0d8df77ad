"""The tables, for queries. Their history is in `migrations/`; a test says the two agree.

Times are text in one fixed-width spelling (see events.Event), JSON is text: both mean the same on every backend.
"""

import sqlalchemy as sa

HEAD = "0001"  # the newest migration; known here so that alembic is imported only when there is something to do

metadata = sa.MetaData()

TIME = sa.String(27)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
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
    sa.Index("events_of_case", "estate", "host", "remedy"),
    sa.Index("events_of_run", "run"),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("estate", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("remedy", sa.String(100), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("since", TIME, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("flags", sa.Text, nullable=False),
    sa.Column("waiting_for", sa.Text, nullable=False),
    sa.Column("exposed_at", TIME),
    sa.Column("mitigated_at", TIME),
    sa.Column("installed_at", TIME),
    sa.Column("effective_at", TIME),
    sa.Column("lifted_at", TIME),
    sa.Column("answered_at", TIME),
    sa.Column("mitigations", sa.Text, nullable=False),
    sa.Index("cases_by_state", "state"),
)

# One row. Whoever writes updates it first, and so waits for the writer before: two deliveries that touch the same
# case would otherwise each project it without the other's events (PostgreSQL's READ COMMITTED allows that).
pen = sa.Table(
    "pen",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("taken_at", TIME, nullable=False),
)
