"""Kept cases are the rebuilt ones: whatever arrives, in whatever order, however often."""

import random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ledger.makers import event, moment

from stopgap.ledger import book
from stopgap.ledger.case import from_row, to_row
from stopgap.ledger.events import KINDS
from stopgap.ledger.projection import project
from stopgap.ledger.tables import cases, chains, events, metadata, pen

ENTRIES = st.sampled_from(["E1", "E2"])
HELD = st.fixed_dictionaries({"id": st.just("m"), "entry": ENTRIES, "in_force": st.booleans()})
CODES = ["below_fixed", "mitigation_lost", "awaiting_proof", "old_code", "unreachable"]
SHAPES = {
    "assessed": st.fixed_dictionaries({"code": st.sampled_from(CODES), "mitigation": st.none() | HELD}),
    "mitigation": st.fixed_dictionaries(
        {
            "entry": ENTRIES,
            "mitigation": st.just("m"),
            "heard_at": st.integers(0, 50).map(moment),
            "step": st.integers(0, 4),
        }
    ),
    "patch": st.just({}),
    "verified": st.fixed_dictionaries(
        {"phase": st.sampled_from(["fix", "mitigation"])}, optional={"entry": ENTRIES, "mitigation": st.just("m")}
    ),
    "journal": st.fixed_dictionaries({"in_force": st.lists(st.sampled_from([["CVE-1", "E1"], ["CVE-1", "E2"]]))}),
}
SAID = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.sampled_from(sorted(KINDS[kind])), SHAPES[kind])
)


@st.composite
def an_event(draw):
    kind, verdict, evidence = draw(SAID)
    return event(
        kind=kind,
        verdict=verdict,
        evidence=evidence,
        reason=draw(st.sampled_from(["", "because"])),
        at=moment(draw(st.integers(-5, 50))),
        estate=draw(st.sampled_from(["default", "lab"])),
        host=draw(st.sampled_from(["web1", "web2"])),
        remedy="" if kind == "journal" else draw(st.sampled_from(["CVE-1", "CVE-2"])),
        revision=draw(st.integers(0, 3)),
    )


@pytest.fixture(scope="module")
def engine():
    """In memory: what is tested here is the same on a disk, only slower."""
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(pen).values(id=1, taken_at=moment(0), writer="w"))
    yield engine
    engine.dispose()


def empty(connection):
    connection.execute(sa.delete(events))
    connection.execute(sa.delete(chains))
    connection.execute(sa.delete(cases))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(an_event(), max_size=14), seed=st.integers(0, 2**16))
def test_kept_is_rebuilt_in_any_order_of_arrival(engine, told, seed):
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    outcomes = []
    for _ in range(2):
        order = chance.sample(told, len(told))
        with engine.begin() as connection:
            empty(connection)
            while order:
                size = chance.randint(min(3, len(order)), len(order))
                book.record(connection, order[:size] + order[:1])
                order = order[size:]
            assert book.differences(connection) == []
            outcomes.append(book.read_cases(connection))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=50, deadline=None)
@given(told=st.lists(an_event(), min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_projection_is_blind_to_order_and_repetition(told, seed):
    told = [one for one in told if one.remedy]
    if told:
        shuffled = told + told
        random.Random(seed).shuffle(shuffled)  # noqa: S311
        assert project(shuffled) == project(told)
        assert from_row(to_row(project(told))) == project(told)


def test_recording_twice_is_recording_once(engine):
    told = [event(), event(kind="patch", verdict="installed", evidence={}, at=moment(1))]
    with engine.begin() as connection:
        empty(connection)
        assert book.record(connection, told) == 2
        kept = book.read_cases(connection)
        assert book.record(connection, told) == 0
        assert book.read_cases(connection) == kept


def test_only_touched_cases_are_projected_again(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event(host="web1"), event(host="web2")])
        connection.execute(sa.update(cases).values(reason="as it was"))
        book.record(connection, [event(host="web2", at=moment(1))])
        assert {one.host: one.reason == "as it was" for one in book.read_cases(connection)} == {
            "web1": True,
            "web2": False,
        }
        assert book.differences(connection) == [("default", "web1", "CVE-1")]
        assert book.rebuild(connection) == 2
        assert book.differences(connection) == []


def test_what_a_journal_holds_touches_every_case_of_its_host(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(
            connection, [event(remedy=remedy, host=host) for remedy in ("CVE-1", "CVE-2") for host in ("a", "b")]
        )
        seen = event(kind="journal", verdict="seen", remedy="", host="a", evidence={"in_force": []}, at=moment(1))
        assert book.touched_by(connection, [seen]) == {("default", "a", "CVE-1"), ("default", "a", "CVE-2")}


def test_filters(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event(host="a"), event(host="b", estate="lab", verdict="not_affected")])
        assert [one.host for one in book.read_cases(connection, state="not_affected")] == ["b"]
        assert [one.host for one in book.read_cases(connection, estate="default")] == ["a"]
        assert [one.host for one in book.read_cases(connection, host="b", remedy="CVE-1")] == ["b"]
        assert book.read_cases(connection, host="c") == []
