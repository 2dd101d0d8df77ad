"""The border: what is no event is refused in a sentence, and what a host wrote cannot drive anything."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple
from tests.unit.ledger.makers import RUN, raw_event

from stopgap.ledger import events
from stopgap.ledger.errors import BadEvent
from stopgap.ledger.events import EVIDENCE_LIMIT, LINE_LIMIT, REASON_LIMIT, parse_event, parse_line

DEEP = "[" * 100_000


def line(**changes) -> bytes:
    return json.dumps(raw_event(**changes)).encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "keys missing or unknown"),
        (DEEP.encode(), "nested too deeply"),
        (b"1" * 5000, "not JSON"),
        (b"x" * (LINE_LIMIT + 1), "longer than"),
        (line(evidence=float("nan")), "NaN is not a JSON number"),
        (line(id="1"), "id '1'"),
        (line(id="01a1ff3a-cf6e-4395-9742-248dd26742d3"), "not well formed"),
        (line(at="yesterday"), "at 'yesterday'"),
        (line(at="2026-13-41T17:00:00.000000Z"), "not a moment"),
        (line(run="../../etc"), "run '../../etc'"),
        (line(remedy="CVE 1; drop table"), "remedy"),
        (line(remedy=""), "remedy must be empty for a journal event"),
        (line(kind="journal", verdict="seen"), "remedy must be empty for a journal event"),
        (line(host=""), "host '' is empty"),
        (line(host="a\nb"), "unprintable"),
        (line(host="h" * 256), "too long"),
        (line(estate="e" * 65), "too long"),
        (line(actor=None), "actor is not text"),
        (line(revision="1"), "revision"),
        (line(revision=True), "revision"),
        (line(revision=-1), "revision"),
        (line(origin="moon"), "origin 'moon'"),
        (line(kind="assessed", verdict="fixed"), "kind 'assessed' with verdict 'fixed'"),
        (line(kind="invented"), "kind 'invented'"),
        (line(evidence=[]), "evidence is not an object"),
        (line() [:-20], "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_with_a_sentence(text, says):
    with pytest.raises(BadEvent, match=says.replace("[", r"\[").replace(".", r"\.")) as raised:
        parse_line(text)
    assert len(str(raised.value)) < 400
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b]0;owned\x07", "a\x00b", "\ud800", "\u202egnp.exe", "\u2028\u2029", "\x9b31m", "x" * 10_000, "a\r\nb"],
)
def test_host_text_is_cleaned_and_bounded(hostile):
    event = parse_line(line(reason=hostile, evidence={hostile[:100]: [hostile]}))
    kept = event.reason + json.dumps(event.evidence, ensure_ascii=False)
    assert kept.isprintable()
    kept.encode("utf-8")
    assert len(event.reason) <= REASON_LIMIT
    assert len(kept) < EVIDENCE_LIMIT


def test_heard_at_orders_and_a_bad_one_is_ignored():
    heard = "2026-11-21T12:34:56.000000Z"
    said = {"kind": "mitigation", "verdict": "applied"}
    assert parse_line(line(**said, evidence={"heard_at": heard})).heard_at == heard
    for bad in ("soon", 7, None, "2026-99-99T12:34:56.000000Z"):
        event = parse_line(line(**said, evidence={"heard_at": bad}))
        assert event.heard_at == event.at


def test_no_host_chooses_the_place_of_its_assessment():
    event = parse_line(line(evidence={"code": "below_fixed", "heard_at": "2026-01-01T00:00:00.000000Z"}))
    assert event.heard_at == event.at


# --- two ways to read a line, and one meaning ----------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), 1 - 2**63, 1e300, 1e-7, 0.5]),
    st.text(alphabet='ab\x7f\u202e\u00e9\\"\n', max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "x" * 199, "x" * 201]), inner),
    max_leaves=12,
)
ODD = {
    "id": [RUN, "", 1],
    "at": ["2026-11-21T17:00:00.123456Z\n", "2026-02-30T00:00:00.000000Z", "2026-11-21"],
    "estate": ["", "e" * 64, "e" * 65],
    "host": ["", "h" * 255, "h" * 256, None],
    "remedy": ["", "CVE-2026-1", "-", "CVE-2026-1\n"],
    "revision": [0, 999_999, 1_000_000, -1, 1.0, True],
    "kind": ["journal", "remedy", "clock", "verified", "strange"],
    "verdict": ["seen", "pass", "known", "strange"],
    "reason": ["r" * 1000, "r" * 1001, "\x1b[31m", 5],
    "actor": ["", "a" * 256],
    "run": ["", RUN.upper()],
    "origin": ["awx", "strange"],
    "surplus": [1],
}


def read(reader, line):
    try:
        return astuple(reader(line))
    except BadEvent as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(
    evidence=st.dictionaries(st.sampled_from(["a", "b", "x" * 201]), VALUES, max_size=3),
    changes=st.dictionaries(st.sampled_from(sorted(ODD)), st.integers(0, 5), max_size=2),
    escaped=st.booleans(),
)
def test_the_quick_way_reads_what_the_thorough_one_does(evidence, changes, escaped):
    odd = {name: ODD[name][place % len(ODD[name])] for name, place in changes.items()}
    raw = {**raw_event(), "evidence": evidence, **odd}
    line = json.dumps(raw, ensure_ascii=escaped).encode()
    assert read(parse_line, line) == read(lambda text: parse_event(json.loads(text)), line)


def test_a_usual_line_is_read_the_quick_way(monkeypatch):
    """Or else the test above compares the thorough way with itself."""
    monkeypatch.setattr(events, "parse_event", None)
    assert parse_line(line()).host == "web1"
