"""The tables, for queries. Their history is in `migrations/`; a test says the two agree.

Times are text in one fixed-width spelling (see events.Event), JSON is text: both mean the same on every backend.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

TIME = sa.String(27)

# One row for what one writer (a ledger) recorded. After a merge the same event may be there in the words of two
# writers; hence the key. `seq` and `hash` are its place in the chain of its writer, estate and host: see chain.py.
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("hash", sa.String(64), primary_key=True),
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
    sa.Index("events_of_case", "estate", "host", "remedy"),
    sa.Index("events_of_run", "run"),
)

# The head of each chain: the only way to see that the last event of one was removed.
chains = sa.Table(
    "chains",
    metadata,
    sa.Column("writer", sa.String(36), primary_key=True),
    sa.Column("estate", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
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
    sa.Column("closed_at", TIME),  # when the last known state was first a closed one; null while it is not
    sa.Column("answered_at", TIME),
    sa.Column("mitigations", sa.Text, nullable=False),
    sa.Column("held", sa.Integer, nullable=False, server_default="0"),  # how many mitigations are in force
    sa.Column("protected_until", TIME),  # a mitigated case is exposed again from here on
    sa.Column("acceptance", sa.Text),
    sa.Column("accepted_until", TIME),
    sa.Column("exposure", sa.String(16), nullable=False, server_default=""),
    sa.Column("criticality", sa.String(16), nullable=False, server_default=""),
    sa.Column("owner", sa.String(255), nullable=False, server_default=""),
    sa.Column("episodes", sa.Text, nullable=False, server_default="[]"),  # clocks of the earlier ones
    sa.Column("folded", sa.Text, nullable=False, server_default=""),  # where the next event is folded on
    sa.Index("cases_by_state", "state"),
    sa.Index("cases_of_remedy", "remedy", "revision"),
    # What is owed is found without looking at what is not.
    sa.Index(
        "cases_with_debt",
        "estate",
        "host",
        sqlite_where=sa.text("held > 0"),
        postgresql_where=sa.text("held > 0"),
    ),
)

# Which machine answered to a name, and when.
machines = sa.Table(
    "machines",
    metadata,
    sa.Column("estate", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("host_id", sa.String(64), primary_key=True),
    sa.Column("first_seen", TIME, nullable=False),
    sa.Column("last_seen", TIME, nullable=False),
    sa.Index("machines_by_id", "host_id"),
)

# Public knowledge of vulnerabilities (KEV, EPSS), kept whole: all readers of one ledger judge by the same.
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("dated", TIME, nullable=False),
    sa.Column("fetched_at", TIME, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)

feed_facts = sa.Table(
    "feed_facts",
    metadata,
    sa.Column("feed", sa.String(16), primary_key=True),
    sa.Column("cve", sa.String(32), primary_key=True),
    sa.Column("facts", sa.Text, nullable=False),
)

# One row. Whoever writes updates it first, and so waits for the writer before: two deliveries that touch the same
# case would otherwise each project it without the other's events (PostgreSQL's READ COMMITTED allows that).
# `writer` names this ledger in its chains.
pen = sa.Table(
    "pen",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("taken_at", TIME, nullable=False),
    sa.Column("writer", sa.String(36), nullable=False),
)
