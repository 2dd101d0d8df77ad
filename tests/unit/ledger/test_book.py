"""Kept cases are the rebuilt ones: whatever arrives, in whatever order, however often."""

import random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ledger.conftest import BACKENDS
from tests.unit.ledger.makers import event, moment

from stopgap.ledger import book, folded, keeping, schema, store
from stopgap.ledger.case import from_row, to_row
from stopgap.ledger.events import KINDS, OF_NOBODY
from stopgap.ledger.projection import Fold, fold, project, tell
from stopgap.ledger.tables import cases, chains, events, machines, metadata, pen

ENTRIES = st.sampled_from(["E1", "E2"])
HELD = st.fixed_dictionaries({"id": st.just("m"), "entry": ENTRIES, "in_force": st.booleans()})
CODES = ["below_fixed", "mitigation_lost", "awaiting_proof", "old_code", "unreachable"]
MOMENTS = st.integers(0, 50).map(moment)
ABOUT = st.fixed_dictionaries({}, optional={"owner": st.sampled_from(["web", "db"]), "exposure": st.just("internal")})
MACHINES = st.sampled_from(["aaa", "bbb"])
PACKAGES = st.sampled_from(["1", "2"]).map(lambda one: [{"name": "a", "arch": "all", "source_version": one}])
RUNS = [f"01a1ff3a-cf6e-7395-9742-00000000000{number}" for number in range(3)]
SHAPES = {
    "assessed": st.fixed_dictionaries(
        {"code": st.sampled_from(CODES), "mitigation": st.none() | HELD},
        optional={"about": ABOUT, "host_id": MACHINES, "distro": st.just("debian-12"), "packages": PACKAGES},
    ),
    "mitigation": st.fixed_dictionaries(
        {
            "entry": ENTRIES,
            "mitigation": st.just("m"),
            "heard_at": MOMENTS,
            "step": st.integers(0, 4),
        },
        optional={"expires_at": MOMENTS, "ttl_seconds": st.sampled_from([600, 1800]), "found": st.just(True)},
    ),
    "patch": st.just({}),
    "verified": st.fixed_dictionaries(
        {"phase": st.sampled_from(["fix", "mitigation"])},
        optional={"entry": ENTRIES, "mitigation": st.just("m"), "extends_to": MOMENTS},
    ),
    "journal": st.fixed_dictionaries(
        {"in_force": st.lists(st.sampled_from([["CVE-1", "E1"], ["CVE-1", "E2"]]))},
        optional={"host_id": MACHINES, "retired": st.just(True)},
    ),
    "accepted": st.fixed_dictionaries({"until": MOMENTS}),
    "remedy": st.fixed_dictionaries(
        {},
        optional={
            "packages": st.sampled_from(["2", "3"]).map(lambda one: [{"name": "a", "fixed_in": {"debian-12": [one]}}]),
            "mitigations": st.sampled_from([{"m": "valid"}, {"m": "withdrawn"}, {}]),
            "conditions": st.booleans(),
        },
    ),
    "clock": st.fixed_dictionaries({"run": st.sampled_from(RUNS), "until": MOMENTS}),
}
SAID = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.sampled_from(sorted(KINDS[kind])), SHAPES[kind])
)


@st.composite
def an_event(draw):
    kind, verdict, evidence = draw(SAID)
    nobody = kind in OF_NOBODY
    return event(
        kind=kind,
        verdict=verdict,
        evidence=evidence,
        reason=draw(st.sampled_from(["", "because"])),
        at=moment(draw(st.integers(-5, 50))),
        estate="" if nobody else draw(st.sampled_from(["default", "lab"])),
        host="" if nobody else draw(st.sampled_from(["web1", "web2"])),
        remedy="" if kind in ("journal", "clock") else draw(st.sampled_from(["CVE-1", "CVE-2"])),
        run=evidence["run"] if kind == "clock" else draw(st.sampled_from(RUNS)),
        revision=draw(st.integers(0, 3)),
    )


@pytest.fixture(scope="module", params=BACKENDS)
def engine(request):
    """In memory for SQLite: what is tested here is the same on a disk, only slower."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.create_database()
        schema.init(sa.make_url(server.url(name)))
        yield store.open_ledger(sa.make_url(server.url(name)))
        server.drop_database(name)
        return
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(pen).values(id=1, taken_at=moment(0), writer="w"))
    yield engine
    engine.dispose()


@pytest.fixture
def now(monkeypatch):
    """The clock of the database: set now[0]. At first it is later than all that is told."""
    told = [moment(100_000)]
    monkeypatch.setattr(book, "_this_moment", lambda: told[0])
    monkeypatch.setitem(book.NOW, "postgresql", "NULL")
    return told


IN_ORDER = sa.select(cases).order_by(cases.c.estate, cases.c.host, cases.c.remedy)


def empty(connection):
    connection.execute(sa.update(pen).values(taken_at=moment(-1000)))
    connection.execute(sa.delete(events))
    connection.execute(sa.delete(chains))
    connection.execute(sa.delete(cases))
    connection.execute(sa.delete(machines))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(an_event(), max_size=14), seed=st.integers(0, 2**16))
def test_kept_is_rebuilt_in_any_order_of_arrival(engine, now, told, seed):
    now[0] = moment(100_000)
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
            outcomes.append([dict(row) for row in connection.execute(IN_ORDER).mappings()])
    assert outcomes[0] == outcomes[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(st.integers(-5, 50), st.lists(an_event(), max_size=5)), max_size=5))
def test_kept_is_rebuilt_whatever_the_clocks_do(engine, now, batches):
    with engine.begin() as connection:
        empty(connection)
        for when, told in batches:
            now[0] = moment(when)
            book.record(connection, told)
            assert book.differences(connection) == []


@st.composite
def of_one_machine(draw):
    """A quiet life: one host that stays itself, with journals that mostly say what is known."""
    kind = draw(st.sampled_from(["journal", "journal", "mitigation", "assessed"]))
    evidence = draw(SHAPES[kind])
    evidence.pop("retired", None)
    evidence |= {"host_id": "aaa"} if kind != "mitigation" else {}
    verdict = {"journal": "seen", "mitigation": draw(st.sampled_from(["applied", "lifted"])), "assessed": "exposed"}
    remedy = "" if kind == "journal" else draw(st.sampled_from(["CVE-1", "CVE-2"]))
    at = moment(draw(st.integers(0, 50)))
    return event(kind=kind, verdict=verdict[kind], evidence=evidence, at=at, remedy=remedy)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(of_one_machine(), min_size=1, max_size=4), max_size=6))
def test_journals_that_leave_no_trace_keep_their_place(engine, now, batches):
    now[0] = moment(100_000)
    with engine.begin() as connection:
        empty(connection)
        for told in batches:
            book.record(connection, told)
            assert book.differences(connection) == []


@settings(max_examples=50, deadline=None)
@given(told=st.lists(an_event(), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_folding_on_is_folding_all(told, cut):
    told = sorted((tell(one) for one in told), key=lambda one: one.place)
    whole = fold(Fold(), told)
    kept = folded.from_text(folded.to_text(fold(Fold(), told[:cut])))
    assert fold(kept, told[cut:]) == whole
    assert folded.to_text(fold(kept, told[cut:])) == folded.to_text(whole)


@settings(max_examples=50, deadline=None)
@given(told=st.lists(an_event(), min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_projection_is_blind_to_order_and_repetition(told, seed):
    told = [one for one in told if one.remedy and one.host]
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


def seen_by(connection):
    """Statements that read events, from here on."""
    read = []

    def listen(_connection, _cursor, statement, *_others):
        if "FROM events" in statement and "events.evidence" in statement:
            read.append(statement)

    sa.event.listen(connection, "before_cursor_execute", listen)
    return read


def test_new_events_are_folded_on_without_reading_old_ones(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event(host=host) for host in ("a", "b")])
        read = seen_by(connection)
        book.record(connection, [event(host=host, at=moment(1), verdict="not_affected") for host in ("a", "b")])
        assert all("events.kind = " in one for one in read)  # clocks that were ahead
        assert {one.state for one in book.read_cases(connection)} == {"not_affected"}


def test_what_was_heard_before_the_last_event_is_put_in_its_place(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event(at=moment(5), verdict="not_affected")])
        book.record(connection, [event(at=moment(1))])
        assert [(one.state, one.exposed_at) for one in book.read_cases(connection)] == [("not_affected", moment(1))]


def journal(minute, *held, **more):
    in_force = [["CVE-1", entry] for entry in held]
    evidence = {"in_force": in_force, **more}
    return event(kind="journal", verdict="seen", remedy="", evidence=evidence, at=moment(minute))


def applied(minute, entry):
    evidence = {"entry": entry, "mitigation": "m", "heard_at": moment(minute), "step": 0}
    return event(kind="mitigation", verdict="applied", evidence=evidence, at=moment(minute))


@pytest.mark.parametrize(("said", "writes"), [({"host_id": "aaa"}, 0), ({}, 1)], ids=["machine told", "no machine"])
def test_a_journal_that_says_nothing_new_writes_no_case(engine, said, writes):
    """Where no machine is told, nobody would know when it was said."""
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [applied(0, "E1"), journal(1, "E1", host_id="aaa")])
        connection.execute(sa.update(cases).values(reason="as it was"))
        book.record(connection, [journal(3, "E1", **said)])
        assert sum(one.reason != "as it was" for one in book.read_cases(connection)) == writes


def test_what_was_heard_before_a_journal_that_left_no_trace_is_put_in_its_place(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [applied(0, "E1"), journal(1, "E1", host_id="aaa")])
        book.record(connection, [journal(5, "E1", host_id="aaa")])
        book.record(connection, [applied(3, "E2")])
        assert [one.entry for one in book.read_cases(connection)[0].mitigations] == ["E1"], (
            "E2 is gone from the journal"
        )
        assert book.differences(connection) == []


@pytest.mark.parametrize("kept", ["", '{"format": 0}'])
def test_a_fold_of_another_format_is_made_anew(engine, kept):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event()])
        connection.execute(sa.update(cases).values(folded=kept))
        assert book.differences(connection) == [], "kept by older code is not kept wrongly"
        book.record(connection, [event(at=moment(1), kind="patch", verdict="installed", evidence={})])
        assert [(one.state, one.exposed_at) for one in book.read_cases(connection)] == [("patched", moment(0))]
        assert book.differences(connection) == []


@pytest.mark.parametrize(
    "changed",
    [{"folded": '{"format": 0}', "state": "fixed"}, {"folded": "nonsense"}, {"folded": '{"format": 99}'}],
)
def test_a_case_that_was_changed_is_found_whoever_kept_its_fold(engine, changed):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event()])
        connection.execute(sa.update(cases).values(**changed))
        assert book.differences(connection) == [("default", "web1", "CVE-1")]


def test_a_remedy_s_knowledge_is_folded_on_to_all_its_cases(engine, monkeypatch):
    monkeypatch.setattr(keeping, "CHUNK", 3)
    with engine.begin() as connection:
        empty(connection)
        hosts = [f"web{number}" for number in range(8)]
        book.record(connection, [event(host=host, remedy=remedy) for host in hosts for remedy in ("CVE-1", "CVE-2")])
        known = event(kind="remedy", verdict="known", estate="", host="", evidence={}, revision=2, at=moment(1))
        assert book.touched_by(connection, [known]) == {("default", host, "CVE-1") for host in hosts}
        read = seen_by(connection)
        book.record(connection, [known])
        assert all("events.kind = " in one for one in read)  # clocks that were ahead, and nothing of any host
        book.record(connection, [event(host="late", at=moment(-1))])
        assert book.differences(connection) == []
        ends_with = {
            (row.host, row.remedy): folded.from_text(row.folded).place[2] for row in connection.execute(IN_ORDER)
        }
        assert {key for key, last in ends_with.items() if last == known.id} == {(h, "CVE-1") for h in [*hosts, "late"]}


def test_two_statements_of_one_event_count_once_the_one_heard_first():
    told = event(kind="mitigation", verdict="applied", evidence={"entry": "E1", "heard_at": moment(9)})
    first = event(id=told.id, kind="mitigation", verdict="applied", evidence={"entry": "E2", "heard_at": moment(3)})
    both = [tell(told, hash_="a"), tell(first, hash_="b")]
    for order in (both, both[::-1]):
        assert list(fold(Fold(), order).facts.entries) == ["E2"]
    same_moment = [tell(told, hash_="b"), tell(told, hash_="a")]
    assert fold(Fold(), same_moment) == fold(Fold(), same_moment[1:])


def test_a_run_whose_clock_was_ahead_does_not_outweigh_what_is_heard_after_it(engine, now):
    """The SQLite way: the ledger's clock is its machine's, so it is noticed when the clock is right again."""
    year = 365 * 24 * 60
    with engine.begin() as connection:
        empty(connection)
        now[0] = moment(year)
        book.record(connection, [event(at=moment(year), verdict="not_affected", run=RUNS[0])])
        now[0] = moment(5)
        said = []
        book.record(connection, [event(at=moment(4), run=RUNS[1])], said.append)
        before = "2026-11-21T12:03:59.999999Z"  # one microsecond before it was heard again
        assert said == [f"the clock of run {RUNS[0]} was 31535700 s ahead: what it said counts as of {before}"]
        assert [(one.state, one.exposed_at) for one in book.read_cases(connection)] == [("exposed", moment(4))]
        assert book.differences(connection) == []
        now[0] = moment(7)
        book.record(connection, [event(at=moment(6), run=RUNS[2], verdict="not_affected")], said.append)
        assert len(said) == 1
        assert [(one.state, one.since) for one in book.read_cases(connection)] == [("not_affected", moment(6))]
        assert book.differences(connection) == []


def test_what_was_said_while_the_clock_was_ahead_still_comes_after_what_was_said_before(engine, now):
    """Delivered late: an old spool does not push the run whose clock was ahead behind what it came after."""
    with engine.begin() as connection:
        empty(connection)
        now[0] = moment(10)
        book.record(connection, [event(at=moment(9), run=RUNS[1])])
        now[0] = moment(9000)
        book.record(connection, [event(at=moment(9000), verdict="not_affected", run=RUNS[0])])
        now[0] = moment(20)
        book.record(connection, [event(host="web2", at=moment(1), run=RUNS[2])])
        assert [(one.host, one.state) for one in book.read_cases(connection)] == [
            ("web1", "not_affected"),
            ("web2", "exposed"),
        ]
        assert book.differences(connection) == []


def test_after_a_clock_was_set_back_the_newest_word_still_counts(engine, now):
    with engine.begin() as connection:
        empty(connection)
        for when, verdict in ((5000, "exposed"), (1000, "not_affected"), (1002, "exposed"), (10, "not_affected")):
            now[0] = moment(when)
            run = f"01a1ff3a-cf6e-7395-9742-0000000{when:05}"
            book.record(connection, [event(at=moment(when - 1), verdict=verdict, run=run)])
            assert [one.state for one in book.read_cases(connection)] == [verdict]
            assert book.differences(connection) == []


def test_a_controller_ahead_of_the_database_is_told_and_kept_in_its_place(engine, now):
    with engine.begin() as connection:
        empty(connection)
        now[0] = moment(5)
        said = []
        book.record(connection, [event(at=moment(500), verdict="not_affected", run=RUNS[0])], said.append)
        assert len(said) == 1
        now[0] = moment(7)
        book.record(connection, [event(at=moment(6), run=RUNS[1])], said.append)
        assert len(said) == 1
        assert [(one.state, one.since) for one in book.read_cases(connection)] == [("exposed", moment(6))]
        assert book.differences(connection) == []


def test_knowledge_that_counts_before_what_was_known_is_news(engine, now):
    """Its run's clock was ahead: heard after revision 2, it counts before it, and reopens under revision 1."""
    nobody = {"kind": "remedy", "verdict": "known", "estate": "", "host": "", "evidence": {"mitigations": {}}}
    ahead = {"run": RUNS[1], "until": moment(5)}
    with engine.begin() as connection:
        empty(connection)
        now[0] = moment(12)
        book.record(connection, [event(verdict="not_affected", revision=0, run=RUNS[0])])
        book.record(connection, [event(**nobody, revision=2, at=moment(10), run=RUNS[0])])
        now[0] = moment(30)
        clock = {"kind": "clock", "verdict": "ahead", "estate": "", "host": "", "remedy": "", "evidence": ahead}
        book.record(connection, [event(**clock, at=moment(12), run=RUNS[1])])
        book.record(connection, [event(**nobody, revision=1, at=moment(20), run=RUNS[1])])
        assert book.differences(connection) == []


def test_clocks_that_are_a_little_off_are_nobody_s_business(engine, now):
    with engine.begin() as connection:
        empty(connection)
        now[0] = moment(1)
        said = []
        book.record(connection, [event(at=moment(2))], said.append)
        now[0] = moment(0)
        book.record(connection, [event(host="b", at=moment(0))], said.append)
        assert said == []


def test_filters(engine):
    with engine.begin() as connection:
        empty(connection)
        book.record(connection, [event(host="a"), event(host="b", estate="lab", verdict="not_affected")])
        assert [one.host for one in book.read_cases(connection, state="not_affected")] == ["b"]
        assert [one.host for one in book.read_cases(connection, estate="default")] == ["a"]
        assert [one.host for one in book.read_cases(connection, host="b", remedy="CVE-1")] == ["b"]
        assert book.read_cases(connection, host="c") == []
