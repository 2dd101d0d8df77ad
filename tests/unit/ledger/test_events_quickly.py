"""The quick ways through a line give what the careful ones give: whatever the line, whatever is in it."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.makers import raw_event

from stopgap.ledger import events
from stopgap.ledger.errors import BadEvent

TEXT = st.text(max_size=12) | st.text('ab\\"/\x00\x1b\x7f\u034f\u202e\ud800é ', max_size=12) | st.just("k" * 201)
NUMBER = st.integers(-(2**70), 2**70) | st.floats() | st.integers(-5, 5)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DEEP = st.integers(9, 15).map(lambda depth: json.loads('{"a":' * depth + "1" + "}" * depth))
EVIDENCE = st.dictionaries(TEXT, VALUE, max_size=4) | DEEP | st.sampled_from([[], None, "x", 7])


def outcome(parse):
    try:
        event = parse()
    except BadEvent as error:
        return str(error)
    return repr([getattr(event, name) for name in (*events.FIELDS, "evidence_text")])


def carefully(line):
    """By the standard library's decoder, every text cleaned, the size measured."""
    raw = events._DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
    return events.parse_event(raw)


@settings(max_examples=300, deadline=None)
@given(evidence=EVIDENCE, reason=TEXT | st.just("r" * 2000), ascii_only=st.booleans())
def test_a_quick_line_is_a_careful_line(evidence, reason, ascii_only):
    raw = raw_event(evidence=evidence, reason=reason)
    line = json.dumps(raw, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if b"NaN" not in line and b"Infinity" not in line:
        assert outcome(lambda: events.parse_line(line)) == outcome(lambda: carefully(line))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]",:0123456789.eE+-\\untrfalse \x00\x1f\x7f', max_size=30).map(str.encode))
def test_a_quick_decoder_takes_nothing_that_the_careful_one_refuses_and_reads_it_the_same(line):
    try:
        quick = events._decode(line)
    except (events.msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    assert repr(quick) == repr(events._DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass")))


@settings(max_examples=300, deadline=None)
@given(evidence=st.dictionaries(TEXT, VALUE, max_size=4) | DEEP)
def test_evidence_is_spelled_as_python_spells_it(evidence):
    """Hashes and exports rest on the spelling."""
    evidence = events._clean_value(evidence, 0, [])
    assert events.parse_event(raw_event(evidence=evidence)).evidence_text == json.dumps(
        evidence, ensure_ascii=False, separators=(",", ":")
    )


@settings(max_examples=300, deadline=None)
@given(number=st.floats(1e-6, 1e17) | st.floats(-10, 10) | st.sampled_from([0.001, 1e15, 1e16, -0.0, 5e-324]))
def test_numbers_are_spelled_as_python_spells_them(number):
    line = json.dumps(raw_event(evidence={"a": [number]})).encode()
    assert events.parse_line(line).evidence_text == json.dumps({"a": [number]}, separators=(",", ":"))
