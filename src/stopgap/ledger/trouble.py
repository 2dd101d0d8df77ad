"""What a database says when it fails, in one sentence with the way out. Passwords are in none of them."""

import re

import sqlalchemy as sa

from stopgap.ledger.events import clean
from stopgap.ledger.postgresql import is_postgresql

SAYS_WHERE = frozenset({"host", "port", "service"})  # of a URL's options; others may be secrets
LENGTH = 400

DRIVER_MISSING = "PostgreSQL's driver is not installed: pip install 'stopgap[postgresql]'"
NO_TEXT = "a value holds characters that no database keeps (NUL, or half of a surrogate pair)"

# SQLSTATE -> the way out. See https://www.postgresql.org/docs/current/errcodes-appendix.html
BY_CODE = {
    "42501": 'its owner runs `GRANT stopgap_writer TO "{user}"` (or stopgap_reader, for reading only)',
    "42P01": "a table is missing: its owner runs `stopgap ledger upgrade`",
    "55P03": "another writer holds it and does not finish; what was to be written is still in the spool",
    "40P01": "another writer was in the way; what was to be written is still in the spool, try again",
    "57014": "one statement took longer than ten minutes; ask whoever runs the server",
    "25006": "this server is a read-only standby: name the primary, or add target_session_attrs=read-write to the URL",
    "25P03": "this process was stopped in the middle of writing, or waited a minute for whoever reads what it prints (print into a file first), so the server ended its session; try again",  # noqa: E501
    "57P01": "the server was shut down meanwhile; try again when it is up",
    "57P03": "the server is starting or stopping; try again when it is up",
    "53300": "the server has no connection left; try again, or raise its max_connections",
    "53100": "the server's disk is full",
}
# What libpq says before there is a session, and SQLite at any time: text is all there is. The first that fits.
BY_TEXT = (
    (r"password authentication failed|no password supplied|SCRAM", "user or password is wrong: see the URL, PGPASSFILE, the service file"),  # noqa: E501
    (r'role ".*" does not exist', "the server has no such user: its administrator runs CREATE ROLE … LOGIN"),
    (r'database ".*" does not exist', "make it with createdb, then run `stopgap ledger init`"),
    (r"permission denied for database|no pg_hba\.conf entry", "the server does not let this user in from here: ask its administrator"),  # noqa: E501
    (r"[Nn]ame or service not known|could not translate host name|[Nn]o address associated|name resolution", "no host of that name is known: look at the URL"),  # noqa: E501
    (r"certificate|SSL|sslmode", "TLS with this server failed: look at sslmode and sslrootcert in the URL"),
    (r"timeout expired|timed out", "the server does not answer: is it up, are host and port right?"),
    (r"[Cc]onnection refused|No such file or directory|No route|unreachable", "no server answers there: is it up, are host and port right?"),  # noqa: E501
    (r"closed the connection|connection (is |was )?lost|terminat|reset by peer|Broken pipe", "the server went away meanwhile; try again when it is up"),  # noqa: E501
    (r"database is locked", "another process has been writing for longer than half a minute; try again"),
    (r"disk is full|disk I/O error", "look at the filesystem it is on"),
    (r"NUL|\\x00|0x00|surrogate", NO_TEXT),
)  # fmt: skip


def shown(url: sa.URL) -> str:
    """For messages: where it is, without passwords and without our driver's name."""
    url = url.set(drivername="postgresql") if is_postgresql(url) else url
    return url.difference_update_query(url.query.keys() - SAYS_WHERE).render_as_string(hide_password=True)


def sentence(url: sa.URL, error: BaseException) -> str:
    """`the ledger URL cannot be used: what the database said; the way out`, on one line."""
    cause = getattr(error, "orig", None) or error
    said = what_it_said(cause)
    code = getattr(cause, "sqlstate", None) or ""
    way_out = BY_CODE.get(code) or next((way for pattern, way in BY_TEXT if re.search(pattern, said)), "")
    way_out = way_out.format(user=url.username or "…") if code == "42501" else way_out
    if code == "42501" and "temporary tables" in said:  # no schema of ours that this login may look into
        said, way_out = "no ledger is there, or not for this user", f"its owner runs `stopgap ledger init`; {way_out}"
    if is_postgresql(url) and isinstance(cause, ImportError):
        said, way_out = DRIVER_MISSING, ""
    return f"the ledger {shown(url)} cannot be used: {said}" + (f"; {way_out}" if way_out else "")


def what_it_said(cause: BaseException) -> str:
    """Of a server's error its first line: the rest quotes statements. Of libpq's, without its own guesses."""
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    said = re.sub(r"^connection (failed|is bad): |Is the server running .*", "", " ".join(said.split()))
    return clean(said.strip(), LENGTH)
