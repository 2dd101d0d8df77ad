"""Who may do what in a PostgreSQL ledger. Events are appended by writers and changed by nobody.

Two group roles without log-in; a login is let in with `GRANT stopgap_writer TO "awx"`. The owner is who ran
`stopgap ledger init`: a role of its own, not the plays' one.
"""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from stopgap.ledger.errors import NotAllowed
from stopgap.ledger.postgresql import SCHEMA

WRITER = "stopgap_writer"
READER = "stopgap_reader"

ALL_ROWS = "SELECT, INSERT, UPDATE, DELETE"
WRITER_MAY = {
    "alembic_version": "SELECT",
    "events": "SELECT, INSERT",
    "chains": "SELECT, INSERT, UPDATE (seq, hash)",
    "cases": ALL_ROWS,
    "pen": "SELECT, UPDATE (taken_at)",  # not whose pen it is
    "machines": ALL_ROWS,
    "feeds": ALL_ROWS,
    "feed_facts": ALL_ROWS,
}


def prepare(connection: sa.Connection) -> None:
    """The group roles and the schema, made where this role may. From here on the transaction is the owner's."""
    owner = _owner(connection)
    wanted = [*_missing_roles(connection), *([] if owner else [_create_schema(connection)])]
    if wanted and not _may(connection, needs_roles=len(wanted) > (not owner), needs_schema=not owner):
        raise NotAllowed(
            f'"{_me(connection)}" may not make what a ledger needs: let an administrator run {" ".join(wanted)} '
            "in this database, then try again"
        )
    _check_encoding(connection)
    for statement in wanted:
        _create(connection, statement)
    _grant_temporary(connection, (owner or _me(connection), WRITER))
    if owner:
        _become(connection, owner)


def grant(connection: sa.Connection) -> None:
    """Exactly this, whatever was granted to the two groups or to everybody before."""
    for statement in _grants():
        _run(connection, statement)


def _grants() -> Iterator[str]:
    everybody = f"PUBLIC, {WRITER}, {READER}"
    yield f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {everybody}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {everybody}"
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {WRITER}, {READER}"
    for table, rights in WRITER_MAY.items():
        yield f"GRANT {rights} ON {SCHEMA}.{table} TO {WRITER}"
        yield f"GRANT SELECT ON {SCHEMA}.{table} TO {READER}"


def _grant_temporary(connection: sa.Connection, who: Sequence[str]) -> None:
    """Rows that take the place of others come by a temporary table (see bulk.py). As a rule everybody may have one."""
    if _may_have_temporary(connection, who):
        return
    database = str(connection.scalar(sa.text("SELECT current_database()")))
    statement = _temporary(database, who)
    try:
        with connection.begin_nested():
            _run(connection, statement)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "42501":
            raise
    if not _may_have_temporary(connection, who):  # who may grant other things is only warned
        raise NotAllowed(_wants_temporary(statement))


def temporary_wanted(url: sa.URL) -> str:
    """Before there is a schema, who may not have temporary tables cannot even ask."""
    return _wants_temporary(_temporary(str(url.database), [str(url.username)]))


def _temporary(database: str, who: Sequence[str]) -> str:
    return f"GRANT TEMPORARY ON DATABASE {_quoted(database)} TO {', '.join(map(_quoted, who))};"


def _wants_temporary(statement: str) -> str:
    return (
        f"a ledger needs temporary tables, which this database gives to nobody: let its owner run {statement} "
        "then try again"
    )


def _may_have_temporary(connection: sa.Connection, who: Sequence[str]) -> bool:
    query = sa.text("SELECT has_database_privilege(:who, current_database(), 'TEMPORARY')")
    return all(connection.scalar(query, {"who": one}) for one in who)


def _missing_roles(connection: sa.Connection) -> list[str]:
    there = set(connection.scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'stopgap%'")))
    return [f"CREATE ROLE {name} NOLOGIN;" for name in (WRITER, READER) if name not in there]


def _create_schema(connection: sa.Connection) -> str:
    return f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {_quoted(_me(connection))};"


def _may(connection: sa.Connection, *, needs_roles: bool, needs_schema: bool) -> bool:
    rights = connection.execute(
        sa.text(
            "SELECT rolsuper OR rolcreaterole AS roles, has_database_privilege(current_database(), 'CREATE') AS schemas"
            " FROM pg_roles WHERE rolname = current_user"
        )
    ).one()
    return bool((rights.roles or not needs_roles) and (rights.schemas or not needs_schema))


def _create(connection: sa.Connection, statement: str) -> None:
    """Roles are the whole server's: somebody may make the same ones for another database at this moment."""
    try:
        with connection.begin_nested():
            _run(connection, statement)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") not in ("42710", "23505"):  # it is there; its name is taken
            raise


def _owner(connection: sa.Connection) -> str | None:
    """Of the schema, None where there is none."""
    query = sa.text("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = :name")
    found: str | None = connection.scalar(query, {"name": SCHEMA})
    return found


def _become(connection: sa.Connection, owner: str) -> None:
    """So that what is made now belongs to whom the rest belongs to."""
    if not connection.scalar(sa.text("SELECT pg_has_role(current_user, :owner, 'MEMBER')"), {"owner": owner}):
        raise NotAllowed(f'this ledger belongs to "{owner}": only that role may do this, not "{_me(connection)}"')
    _run(connection, f"SET LOCAL ROLE {_quoted(owner)}")


def _check_encoding(connection: sa.Connection) -> None:
    found = connection.scalar(sa.text("SHOW server_encoding"))
    if found != "UTF8":
        raise NotAllowed(
            f"this database keeps text as {found}: make another with createdb --template=template0 --encoding=UTF8"
        )


def _me(connection: sa.Connection) -> str:
    return str(connection.scalar(sa.text("SELECT current_user")))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _run(connection: sa.Connection, statement: str) -> None:
    connection.execute(sa.text(statement.replace(":", "\\:")))  # a name's colon is no parameter
