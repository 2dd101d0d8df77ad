"""Chains: whatever is done to a row of the books behind the ledger's back is found, and at the right place."""

import base64
import random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.makers import event, event_id, moment

from stopgap.ledger import book
from stopgap.ledger.chain import ADVICE, COLUMNS, NO_HEAD, Finding, Head, Name, Walk, heads_of, link, link_values
from stopgap.ledger.integrity import MOST_TOLD, Verified, verify
from stopgap.ledger.tables import chains, events, metadata, pen

WRITER = "0a1b2c3d-0000-4000-8000-000000000001"


def fresh_engine(writer=WRITER):
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(pen).values(id=1, taken_at=moment(0), writer=writer))
    return engine


@pytest.fixture(scope="module")
def engine():
    engine = fresh_engine()
    yield engine
    engine.dispose()


def write(connection, told, writer=WRITER):
    """Events alone: what cases make of them is not asked here."""
    book.append(connection, told, writer, moment(100))


def fill(connection, sizes):
    """{(estate, host): how many events}. Returns the ids by chain."""
    connection.execute(sa.delete(events))
    connection.execute(sa.delete(chains))
    ids = {}
    for (estate, host), size in sizes.items():
        told = [event(estate=estate, host=host, reason=f"no. {n}", at=moment(n)) for n in range(size)]
        if told:
            write(connection, told)
        ids[estate, host] = [one.id for one in told]
    return ids


def found(connection):
    return verify(connection).findings


def rows_of(connection):
    query = sa.select(events).order_by(events.c.estate, events.c.host, events.c.seq)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- one kind of harm after the other ------------------------------------------------------------------------------

NTH = sa.text("UPDATE events SET seq = :seq WHERE id = :id")


def change(column, value, seq=2):
    return lambda c, ids: c.execute(sa.update(events).where(events.c.id == ids[seq - 1]).values({column: value}))


def remove(*seqs):
    return lambda c, ids: c.execute(sa.delete(events).where(events.c.id.in_([ids[seq - 1] for seq in seqs])))


def swap(c, ids):
    c.execute(NTH, {"seq": 3, "id": ids[1]})
    c.execute(NTH, {"seq": 2, "id": ids[2]})


def put_in(c, ids):
    row = dict(c.execute(sa.select(events).where(events.c.id == ids[1])).mappings().one())
    c.execute(sa.insert(events), [row | {"id": event_id(9_000_000), "reason": "put in", "hash": "f" * 64}])


def set_head(**values):
    return lambda c, _ids: c.execute(sa.update(chains).where(chains.c.host == "a").values(values))


def drop_head(c, _ids):
    c.execute(sa.delete(chains).where(chains.c.host == "a"))


HARM = {
    "reason edited": (change("reason", "nothing to see"), [(2, "changed")]),
    "evidence edited": (change("evidence", "{}"), [(2, "changed")]),
    "evidence spaced otherwise": (change("evidence", '{"code": "below_fixed"}'), [(2, "changed")]),
    "a number for a text": (change("verdict", 7), [(2, "changed")]),
    "hash edited": (change("hash", "f" * 64), [(2, "changed")]),
    "hash of the last edited": (change("hash", "f" * 64, seq=4), [(4, "changed")]),
    "recorded earlier": (change("recorded_at", moment(-1)), [(2, "changed")]),
    "place beyond the end": (change("seq", 9), [(2, "missing"), (5, "missing"), (4, "head")]),
    "place no number": (change("seq", "x"), [(2, "missing"), (0, "changed")]),
    "place zero": (change("seq", 0), [(0, "changed"), (2, "missing")]),
    "first removed": (remove(1), [(1, "missing")]),
    "one in the middle removed": (remove(3), [(3, "missing")]),
    "two in the middle removed": (remove(2, 3), [(2, "missing")]),
    "last removed": (remove(4), [(4, "missing")]),
    "all removed": (remove(1, 2, 3, 4), [(1, "missing")]),
    "two swapped": (swap, [(2, "changed"), (3, "changed"), (4, "changed")]),
    "one put in": (put_in, [(2, "changed")]),
    "head removed": (drop_head, [(0, "head")]),
    "head set back": (set_head(seq=2), [(2, "head")]),
    "head at no number": (set_head(seq="x"), [(0, "head")]),
    "head at no number of nothing": (
        lambda c, ids: (remove(1, 2, 3, 4)(c, ids), set_head(seq="x")(c, ids)),
        [(0, "head")],
    ),
    "head of another hash": (set_head(hash="f" * 64), [(4, "head")]),
    "head of another host": (set_head(host="b"), [(0, "head"), (1, "missing")]),
}


@pytest.mark.parametrize("name", HARM)
def test_harm_is_found_where_it_was_done(engine, name):
    do, expected = HARM[name]
    with engine.begin() as connection:
        ids = fill(connection, {("e", "a"): 4, ("e", "c"): 2})
        assert found(connection) == []
        do(connection, ids["e", "a"])
        told = found(connection)
    assert [(one.seq, one.kind) for one in told] == expected
    assert all(one.chain.host in ("a", "b") and one.kind in ADVICE and one.line() for one in told)
    for one in told:
        assert one.event == (ids["e", "a"][one.seq - 1] if one.kind == "changed" and name in EDITS else one.event)


EDITS = [name for name in HARM if name.endswith("edited")]


def test_an_event_moved_to_another_host_is_missed_there_and_strange_here(engine):
    with engine.begin() as connection:
        ids = fill(connection, {("e", "a"): 3, ("e", "c"): 3})
        change("host", "c")(connection, ids["e", "a"])
        told = found(connection)
    assert [(one.chain.host, one.seq, one.kind) for one in told] == [("a", 2, "missing"), ("c", 2, "changed")]
    assert told[1].event == ids["e", "a"][1]


def test_bytes_in_place_of_a_host_are_told(engine):
    with engine.begin() as connection:
        ids = fill(connection, {("e", "a"): 1, ("e", "c"): 3})
        change("host", sa.text("x'ff1b5b'"), seq=3)(connection, ids["e", "c"])
        told = found(connection)
    assert [one.kind for one in told] == ["changed", "missing"]
    assert told[0].line().isprintable()


def test_findings_are_printable_and_bounded(engine):
    with engine.begin() as connection:
        ids = fill(connection, {("e", "a"): MOST_TOLD + 5})
        connection.execute(sa.update(events).values(actor="\x1b[2J" * 1000, estate="\x1b[31m" + "x" * 10_000))
        result = verify(connection)
    assert len(ids["e", "a"]) < result.broken
    assert len(result.findings) == MOST_TOLD
    assert all(one.line().isprintable() and len(one.line()) < 1000 for one in result.findings)


# --- any ledger, any one change ------------------------------------------------------------------------------------

SIZES = st.dictionaries(
    st.tuples(st.sampled_from(["default", "lab"]), st.sampled_from(["a", "b", "ü"])), st.integers(1, 5), min_size=1
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES)
def test_an_honest_ledger_is_whole(engine, sizes):
    with engine.begin() as connection:
        fill(connection, sizes)
        result = verify(connection)
    assert (result.findings, result.forks, result.broken) == ([], [], 0)
    assert (result.events, result.chains) == (sum(sizes.values()), len(sizes))


@settings(max_examples=150, deadline=None)
@given(sizes=SIZES, column=st.sampled_from(COLUMNS), value=TEXT | st.integers(-1, 7).map(str), seed=st.integers(0, 99))
def test_any_edit_of_any_column_is_found(engine, sizes, column, value, seed):
    with engine.begin() as connection:
        fill(connection, sizes)
        before = random.Random(seed).choice(rows_of(connection))  # noqa: S311
        where = (events.c.id == before["id"], events.c.hash == before["hash"])
        connection.execute(sa.text(f"UPDATE events SET {column} = :value WHERE id = :id AND hash = :hash"),
                           {"value": value, "id": before["id"], "hash": before["hash"]})  # fmt: skip
        after = [row for row in rows_of(connection) if row not in [before]]
        changed = connection.execute(sa.select(events).where(*where)).mappings().first()
        if changed is not None and dict(changed) == before:
            return  # it was that already
        told = found(connection)
    assert told, (column, before[column], value)
    names = {(one.chain.estate, one.chain.host) for one in told}
    assert (before["estate"], before["host"]) in names or before["id"] in {one.event for one in told}
    if column not in ("writer", "estate", "host", "seq", "id"):
        assert [(one.event, one.seq) for one in told] == [(before["id"], before["seq"])]
    assert after


@settings(max_examples=50, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_any_removal_is_found(engine, sizes, seed):
    with engine.begin() as connection:
        fill(connection, sizes)
        gone = random.Random(seed).choice(rows_of(connection))  # noqa: S311
        connection.execute(sa.delete(events).where(events.c.id == gone["id"]))
        told = found(connection)
    assert [(one.chain.estate, one.chain.host, one.seq, one.kind) for one in told] == [
        (gone["estate"], gone["host"], gone["seq"], "missing")
    ]


@settings(max_examples=50, deadline=None)
@given(sizes=SIZES, column=st.sampled_from([one for one in COLUMNS if one != "id"]), seed=st.integers(0, 99))
def test_any_swap_is_found(engine, sizes, column, seed):
    with engine.begin() as connection:
        fill(connection, sizes)
        rows = rows_of(connection)
        one, other = random.Random(seed).sample(rows, 2) if len(rows) > 1 else (rows[0], rows[0])  # noqa: S311
        if one[column] == other[column]:
            return
        for row, value in ((one, other[column]), (other, one[column])):
            connection.execute(sa.update(events).where(events.c.id == row["id"]).values({column: value}))
        assert found(connection)


# --- forks ---------------------------------------------------------------------------------------------------------


def row(seq, previous, **changes):
    made = {**dict.fromkeys(COLUMNS, ""), "writer": "w", "seq": seq, "revision": 0, "id": f"id{seq}", **changes}
    return made | {"hash": link(previous, made)}


def walked(*rows, head=None):
    walk = Walk(Name("w", "e", "h"))
    told = []
    for one in sorted(rows, key=lambda one: (one["seq"], one["hash"])):
        told += walk.take([one[column] for column in COLUMNS])
    return told + list(walk.end(head or heads_of(walk)[-1])), heads_of(walk)


def test_a_fork_is_told_once_and_both_its_ends_are_heads():
    first = row(1, "")
    left = [row(2, first["hash"], actor="left")]
    left.append(row(3, left[0]["hash"], actor="left"))
    right = [row(2, first["hash"], actor="right")]
    told, heads = walked(first, *left, *right)
    assert [(one.kind, one.seq, one.is_fork) for one in told] == [("fork", 2, True)]
    assert heads == sorted([Head(3, left[1]["hash"]), Head(2, right[0]["hash"])])


def test_a_fork_from_the_very_beginning():
    told, _heads = walked(row(1, "", actor="left"), row(1, "", actor="right"))
    assert [(one.kind, one.seq) for one in told] == [("fork", 1)]
    assert "two events follow the beginning" in told[0].line()


def test_in_a_fork_an_edit_is_still_found():
    first = row(1, "")
    left, right = row(2, first["hash"], actor="left"), row(2, first["hash"], actor="right")
    behind = [row(3, left["hash"], actor="left"), row(3, right["hash"], actor="right")]
    assert [one.kind for one in walked(first, left, right, *behind)[0]] == ["fork"]
    edited = {**left, "reason": "x"}
    told, _heads = walked(first, edited, right, *behind)
    assert ("changed", 2) in [(one.kind, one.seq) for one in told]
    told, _heads = walked(first, right, *behind)  # one branch's first event is gone
    assert ("changed", 3) in [(one.kind, one.seq) for one in told]


def test_a_hash_covers_all_and_whats_before():
    one = row(1, "")
    assert len(one["hash"]) == 64
    others = {link("", one | {name: "other"}) for name in COLUMNS if name != "hash"}
    assert len(others | {one["hash"], link(one["hash"], one)}) == len(COLUMNS) + 1
    assert link("p", one) == link_values("p", [one[name] for name in COLUMNS[:-1]])
    assert Head(1, "0") > NO_HEAD


def test_bytes_in_the_place_of_the_text_that_spells_them_are_found():
    told = row(1, "", verdict="pass")
    changed = {**told, "verdict": base64.b64decode("pass")}
    assert link("", changed) == told["hash"], "JSON spells bytes as base64: the hash alone would not tell"
    assert [one.kind for one in walked(changed)[0]] == ["changed"]


# --- heads saved elsewhere -----------------------------------------------------------------------------------------


def saved_heads(connection):
    found: dict = {}
    for name, head in verify(connection).heads:
        found[name] = found.get(name, frozenset()) | {head}
    return found


def test_saved_heads_stay_good_as_the_ledger_grows(engine):
    with engine.begin() as connection:
        fill(connection, {("e", "a"): 3, ("e", "c"): 1})
        saved = saved_heads(connection)
        write(connection, [event(estate="e", host="a"), event(estate="e", host="new")])
        assert verify(connection, saved).findings == []


def test_a_history_written_anew_is_found_by_saved_heads_only(engine):
    with engine.begin() as connection:
        fill(connection, {("e", "a"): 3, ("e", "c"): 1})
        saved = saved_heads(connection)
        fill(connection, {("e", "a"): 4, ("e", "c"): 1})  # the same hosts, by somebody who knows the code
        assert found(connection) == []
        told = verify(connection, saved).findings
    assert [(one.chain.host, one.seq, one.kind) for one in told] == [("a", 3, "gone"), ("c", 1, "gone")]


def test_a_chain_gone_with_its_head_is_found_by_saved_heads_only(engine):
    with engine.begin() as connection:
        fill(connection, {("e", "a"): 3, ("e", "c"): 1})
        saved = saved_heads(connection)
        for table in (events, chains):
            connection.execute(sa.delete(table).where(table.c.host == "a"))
        assert found(connection) == []
        result = verify(connection, saved)
    assert [(one.chain.host, one.seq, one.kind) for one in result.findings] == [("a", 3, "gone")]
    assert (result.chains, result.events) == (1, 1)
    assert [one.kind for one in verify(None, saved).findings] == ["gone", "gone"]


def test_more_findings_than_are_kept_are_counted():
    result = Verified()
    result.note(Finding(Name("w", "e", "h"), n, "", "changed", "x") for n in range(MOST_TOLD + 3))
    assert (len(result.findings), result.broken) == (MOST_TOLD, MOST_TOLD + 3)
