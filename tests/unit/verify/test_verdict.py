import pytest

from stopgap.verify.verdict import aggregate, clean, expect, passed, together, unknown


def check(verdict, name="a"):
    return {"id": name, "verdict": verdict, "reason": "because"}


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ([], "unknown"),
        (["pass"], "pass"),
        (["pass", "pass"], "pass"),
        (["pass", "unknown"], "unknown"),
        (["unknown", "fail", "pass"], "fail"),
        (["unknown", "unknown"], "unknown"),
    ],
)
def test_p04_one_unknown_is_never_fixed_and_a_failure_weighs_most(words, verdict):
    assert aggregate([check(word) for word in words]).word == verdict


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["pass"], "1 check passed"),
        (["pass", "pass"], "all 2 checks passed"),
        (["pass", "unknown", "fail"], "2: because"),
        (["pass", "unknown", "fail", "fail"], "2: because (and 1 more failed)"),
        (["unknown", "unknown"], "0: because (and 1 more could not be answered)"),
    ],
)
def test_the_reason_names_the_check_that_decided(words, reason):
    assert aggregate([check(word, str(number)) for number, word in enumerate(words)]).reason == reason


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([], unknown("nothing was looked at")),
        ([passed("a"), passed("b")], passed("a; b")),
        ([passed("a"), unknown("b"), unknown("c")], unknown("b")),
        ([unknown("a"), expect(False, "b"), passed("c")], expect(False, "b")),
    ],
)
def test_p04_of_the_parts_of_one_check_the_worst_counts_and_no_part_proves_nothing(parts, verdict):
    assert together(parts) == verdict


def test_p09_a_reason_is_one_printable_line_of_bounded_length():
    assert clean("a\x1b[31mb\r\nc\t\u202ed  e") == "a [31mb c d e"
    assert clean("x" * 10_000) == "x" * 499 + "…"
    assert clean("x" * 500) == "x" * 500
