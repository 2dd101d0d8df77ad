"""PostgreSQL's side of opening a ledger: psycopg, waits that end, a schema of our own."""

import logging

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

# Nothing of ours is in `public`, where a database's other users may keep tables (and an alembic_version) of theirs.
SCHEMA = "stopgap"
DRIVER = "postgresql+psycopg"
NAMES = frozenset({"postgresql", "postgres"})

# Ours to say, unless the URL says otherwise.
CONNECT = {
    "application_name": "stopgap",
    "client_encoding": "utf8",
    "connect_timeout": 10,  # seconds, the log-in included: a server that accepts and never answers is away
    # A server that is gone without a word (power, cable) is noticed after a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}

# The session's, on the server. Who writes holds the pen, so a writer that hangs must lose its session before those
# who wait for it give up, and those before the callback does (120 s): idle < lock < callback.
SESSION = {
    "search_path": f"{SCHEMA},pg_temp",
    "synchronous_commit": "on",  # the spool file is removed right after the commit
    "jit": "off",  # a delivery asks for a page of keys; to compile that, on a wrong guess, takes longer than the answer
    "idle_in_transaction_session_timeout": "60s",  # stopped, or its machine asleep, in the middle of a transaction
    "lock_timeout": "90s",
    "statement_timeout": "600s",  # one statement; nothing of ours takes near that long, a bad plan might
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",  # also a client that stopped reading in the middle of an answer
}
# Whoever makes or upgrades a ledger computes for as long as it takes.
OWNER_SESSION = {"idle_in_transaction_session_timeout": "0", "statement_timeout": "0"}

# How full a page gets with rows that each delivery replaces, in percent: where their next self finds room beside them,
# no index has to hear of it. Cases are larger, and most are not replaced for long: see docs/performance.md.
FILLED = {"chains": 50, "machines": 50}

# The public schema held the tables of ledgers made by schema 0001, before there was one of our own.
OLD_SCHEMA = "public"
OLD_TABLES = ("alembic_version", "events", "cases", "pen")


def is_postgresql(url: sa.URL) -> bool:
    return url.drivername.partition("+")[0] in NAMES


def normal(url: sa.URL) -> sa.URL:
    """With the driver we use, whatever the URL was spelled like."""
    return url.set(drivername=DRIVER)


def engine(url: sa.URL) -> sa.Engine:
    """No connection is kept between transactions: processes are short, and servers are restarted."""
    logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what goes wrong is told once, by us
    arguments = {name: value for name, value in CONNECT.items() if name not in url.query}
    given = url.query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    options = f"{ours} {given if isinstance(given, str) else ' '.join(given)}".strip()
    return sa.create_engine(normal(url), poolclass=NullPool, connect_args={**arguments, "options": options})


def has_old_tables(connection: sa.Connection) -> bool:
    """All of them: another program's alembic_version in `public` is none of ours."""
    inspector = sa.inspect(connection)
    return all(inspector.has_table(name, schema=OLD_SCHEMA) for name in OLD_TABLES)


def leave_room(connection: sa.Connection) -> None:
    """For its owner, at any time: it says nothing of the rows that are there."""
    for name, percent in FILLED.items():
        connection.execute(sa.text(f"ALTER TABLE {SCHEMA}.{name} SET (fillfactor = {percent})"))


def move_old_tables(connection: sa.Connection) -> None:
    for name in OLD_TABLES:
        connection.execute(sa.text(f"ALTER TABLE {OLD_SCHEMA}.{name} SET SCHEMA {SCHEMA}"))
