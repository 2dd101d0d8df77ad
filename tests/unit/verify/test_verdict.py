import pytest

from stopgap.verify.verdict import aggregate, clean


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


def test_the_reason_names_the_check_that_decided():
    checks = [check("pass", "file:/x"), check("unknown", "command:y"), check("fail", "package:z"), check("fail", "b")]
    assert aggregate(checks).reason == "package:z: because (and 1 more failed)"


def test_p09_a_reason_is_one_printable_line_of_bounded_length():
    assert clean("a\x1b[31mb\r\nc\t\u202ed  e") == "a [31mb c d e"
    assert len(clean("x" * 10_000)) == 500
