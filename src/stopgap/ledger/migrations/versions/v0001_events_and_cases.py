"""Events, the cases projected from them, and the writers' turn."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
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
    )
    op.create_index("events_of_case", "events", ["estate", "host", "remedy"])
    op.create_index("events_of_run", "events", ["run"])
    op.create_table(
        "cases",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("remedy", sa.String(100), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("flags", sa.Text, nullable=False),
        sa.Column("waiting_for", sa.Text, nullable=False),
        *(sa.Column(f"{clock}_at", sa.String(27)) for clock in ("exposed", "mitigated", "installed", "effective")),
        *(sa.Column(f"{moment}_at", sa.String(27)) for moment in ("lifted", "answered")),
        sa.Column("mitigations", sa.Text, nullable=False),
    )
    op.create_index("cases_by_state", "cases", ["state"])
    pen = op.create_table(
        "pen",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("taken_at", sa.String(27), nullable=False),
    )
    op.bulk_insert(pen, [{"id": 1, "taken_at": "1970-01-01T00:00:00.000000Z"}])
