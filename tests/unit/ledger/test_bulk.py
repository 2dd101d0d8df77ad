"""Many rows and many values at once, on each backend."""

import random
import re

import pytest
import sqlalchemy as sa

from stopgap.ledger import bulk
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import cases, chains

WRITER = "0" * 36
HOSTS = [f"web{number:04}" for number in range(2000)]
ODD = ['quote " and \\', "100 %", "{brace}", ":colon", "naïve 漢", "'; --"]


@pytest.fixture
def chained(state):
    with writing(open_ledger()) as connection:
        bulk.upsert(connection, chains, [(WRITER, "prod", host, 1, "a") for host in HOSTS])
        yield connection


OURS = sa.select(chains.c.host, chains.c.seq, chains.c.hash).where(chains.c.writer == sa.bindparam("writer"))


def looked_up(connection, hosts):
    of_hosts = bulk.of_hosts(connection, OURS, chains, [("prod", host) for host in hosts], writer=WRITER)
    return [row for _, row in of_hosts]


def test_each_value_is_looked_up_and_nothing_else_is_found(chained):
    some = random.Random(4).sample(HOSTS, 300)  # noqa: S311 - any will do, the same each time
    found = looked_up(chained, [*some, "elsewhere"])
    assert sorted(row.host for row in found) == sorted(some)
    assert looked_up(chained, []) == []


@pytest.mark.parametrize("state", ["postgresql"], indirect=True)
def test_postgresql_looks_each_up_by_the_whole_key_in_a_table_that_it_knows_nothing_of(chained):
    """Without statistics it thought that the writer tells enough, and compared each of its hosts with each value."""
    asked = []
    sa.event.listen(chained, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    looked_up(chained, HOSTS[:500])
    ((query, bound),) = asked
    plan = "\n".join(chained.exec_driver_sql(f"EXPLAIN ANALYZE {query}", bound).scalars())
    assert "Rows Removed by Filter" not in plan, plan
    assert re.search(r"Index Cond: .*host", plan), plan


def test_a_key_that_is_there_already_is_an_error_of_the_database(chained):
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)unique|duplicate"):
        bulk.insert(chained, chains, [(WRITER, "prod", HOSTS[0], 1, "b")])


@pytest.mark.parametrize("name", ODD)
def test_rows_take_the_place_of_those_with_their_key(chained, name):
    old, new = (WRITER, "prod", name, 1, "old"), (WRITER, "prod", name, 2, name)
    bulk.upsert(chained, chains, [old])
    bulk.upsert(chained, chains, [new, (WRITER, "prod", HOSTS[0], 9, "b")])
    (row,) = looked_up(chained, [name])
    assert tuple(row) == (name, 2, name)
    assert chained.scalar(sa.select(chains.c.seq).where(chains.c.host == HOSTS[0])) == 9
    assert chained.scalar(sa.select(sa.func.count()).select_from(chains)) == len(HOSTS) + 1


@pytest.mark.parametrize("name", ODD)
def test_wide_rows_as_well_and_what_is_missing_stays_missing(state, name):
    row = {column.name: 0 if isinstance(column.type, sa.Integer) else name[:16] for column in cases.c}
    missing = [column.name for column in cases.c if column.nullable]
    with writing(open_ledger()) as connection:
        for held in (1, 2):
            told = row | dict.fromkeys(missing) | {"held": held}
            bulk.upsert(connection, cases, bulk.rows_of(cases, [told]))
            bulk.upsert(connection, cases, bulk.rows_of(cases, [told | {"host": "another"}]))
        found = [dict(one) for one in connection.execute(sa.select(cases)).mappings()]
    assert sorted(one.pop("host") for one in found) == sorted([name, "another"])
    assert all(one == {key: value for key, value in told.items() if key != "host"} for one in found)
